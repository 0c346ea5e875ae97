"""Deletes messages and reports that are old, and about which nothing is left to do.

In batches by primary key, so that neither memory nor locks grow with the table.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import router, transaction
from django.db.models import PROTECT, RESTRICT, Exists, ForeignObjectRel, OuterRef

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.querysets import DeliveryReportQuerySet, SmsMessageQuerySet
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import db_retry

SETTLED = [status for status in Status if status.rank >= Status.UNRESOLVED.rank]


def prune_messages(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete settled messages created before ``before`` with their reports; return how many messages."""
    using = router.db_for_write(SmsMessage)
    messages = SmsMessage.objects.using(using)
    reports = DeliveryReport.objects.using(using)
    doomed = _unprotected(messages.filter(status__in=SETTLED))
    pruned, last = 0, 0
    # Windows of primary keys, which rise with created_at: the first one with nothing old in it ends the walk.
    while window := list(messages.filter(pk__gt=last).order_by("pk").values_list("pk", "created_at")[:size]):
        last = window[-1][0]
        old = [pk for pk, created_at in window if created_at < before]
        if not old:
            break
        settled = doomed.filter(pk__in=old)
        if dry_run:
            waiting = reports.undispatched().filter(message=OuterRef("pk"))
            pruned += settled.exclude(Exists(waiting)).count()
        else:
            pruned += db_retry.retry_on_contention(partial(_delete, settled, reports), using=using)
    return pruned


def prune_orphans(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete orphan reports received before ``before``; return how many."""
    using = router.db_for_write(DeliveryReport)
    reports = DeliveryReport.objects.using(using)
    pruned, last = 0, 0
    told = {"message__isnull": True, "dispatch_due_at__isnull": True}
    orphans = reports.orphans().filter(**told, received_at__lt=before).order_by("pk")
    while doomed := list(orphans.filter(pk__gt=last).values_list("pk", flat=True)[:size]):
        last = doomed[-1]
        # Asked once more: somebody may have found the message of one since we looked.
        rows = reports.filter(pk__in=doomed, **told)
        pruned += rows.count() if dry_run else db_retry.retry_on_contention(rows.delete, using=using)[0]
    return pruned


def _unprotected(messages: SmsMessageQuerySet) -> SmsMessageQuerySet:
    """Leave out those that rows of the project's own keep: Django would delete none of a batch with one of them."""
    for relation in SmsMessage._meta.get_fields(include_hidden=True):  # noqa: SLF001 - documented as public
        if isinstance(relation, ForeignObjectRel) and relation.on_delete in {PROTECT, RESTRICT}:
            told = {relation.field.name: OuterRef(relation.field.target_field.name)}
            messages = messages.exclude(Exists(relation.related_model._base_manager.filter(**told)))  # noqa: SLF001
    return messages


def _delete(settled: SmsMessageQuerySet, reports: DeliveryReportQuerySet) -> int:
    """Delete messages with their reports, but those of which something is still to be told; return how many."""
    with transaction.atomic(using=settled.db):
        # Locked first: a report that comes late has been written, signals and all, or finds its message gone.
        locked = set(settled.select_for_update().values_list("pk", flat=True))
        doomed = locked.difference(
            reports.undispatched().filter(message__in=locked).values_list("message", flat=True)
        )
        reports.filter(message__in=doomed).delete()
        settled.model.objects.using(settled.db).filter(pk__in=doomed).delete()
    return len(doomed)
