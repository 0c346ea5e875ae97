"""Delete old messages and reports that are final and dispatched.

Rows are deleted in batches by primary key, so that memory and locks do not grow with the table.
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

FINAL = [status for status in Status if status.rank >= Status.UNRESOLVED.rank]


def prune_messages(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete final messages created before ``before`` with their reports; return the number of messages.

    Messages with undispatched reports, and those that a protected relation of the project refers to, are kept.

    Args:
        before: the limit for ``created_at``.
        size: the number of rows in a batch.
        dry_run: whether to count the messages only.
    """
    using = router.db_for_write(SmsMessage)
    messages = SmsMessage.objects.using(using)
    reports = DeliveryReport.objects.using(using)
    prunable = _unprotected(messages.filter(status__in=FINAL))
    pruned, last = 0, 0
    # Primary keys rise with created_at, so the first batch without an old message is the last one.
    while batch := list(messages.filter(pk__gt=last).order_by("pk").values_list("pk", "created_at")[:size]):
        last = batch[-1][0]
        old = [pk for pk, created_at in batch if created_at < before]
        if not old:
            break
        final = prunable.filter(pk__in=old)
        if dry_run:
            undispatched = reports.undispatched().filter(message=OuterRef("pk"))
            pruned += final.exclude(Exists(undispatched)).count()
        else:
            pruned += db_retry.retry_on_contention(partial(_delete, final, reports), using=using)
    return pruned


def prune_orphans(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete dispatched orphan reports received before ``before``; return their number.

    Args:
        before: the limit for ``received_at``.
        size: the number of rows in a batch.
        dry_run: whether to count the reports only.
    """
    using = router.db_for_write(DeliveryReport)
    reports = DeliveryReport.objects.using(using)
    pruned, last = 0, 0
    prunable = {"message__isnull": True, "dispatch_due_at__isnull": True}
    orphans = reports.orphans().filter(**prunable, received_at__lt=before).order_by("pk")
    while batch := list(orphans.filter(pk__gt=last).values_list("pk", flat=True)[:size]):
        last = batch[-1]
        # The conditions are repeated, because another process may have matched one since it was read.
        rows = reports.filter(pk__in=batch, **prunable)
        pruned += rows.count() if dry_run else db_retry.retry_on_contention(rows.delete, using=using)[0]
    return pruned


def _unprotected(messages: SmsMessageQuerySet) -> SmsMessageQuerySet:
    """Exclude messages that rows of the project protect: with one of them, Django would delete none of the batch."""
    for relation in SmsMessage._meta.get_fields(include_hidden=True):  # noqa: SLF001 - documented as public
        if isinstance(relation, ForeignObjectRel) and relation.on_delete in {PROTECT, RESTRICT}:
            condition = {relation.field.name: OuterRef(relation.field.target_field.name)}
            rows = relation.related_model._base_manager.filter(**condition)  # noqa: SLF001 - documented as public
            messages = messages.exclude(Exists(rows))
    return messages


def _delete(messages: SmsMessageQuerySet, reports: DeliveryReportQuerySet) -> int:
    """Delete messages without undispatched reports, and their reports; return the number of messages."""
    with transaction.atomic(using=messages.db):
        # The lock comes first: a late report is either committed with its signals due, or finds no message.
        locked = set(messages.select_for_update().values_list("pk", flat=True))
        prunable = locked.difference(
            reports.undispatched().filter(message__in=locked).values_list("message", flat=True)
        )
        reports.filter(message__in=prunable).delete()
        messages.model.objects.using(messages.db).filter(pk__in=prunable).delete()
    return len(prunable)
