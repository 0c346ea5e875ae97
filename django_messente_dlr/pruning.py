"""Deletes messages and reports that are old, and about which nothing is left to do.

In batches by primary key, so that neither memory nor locks grow with the table.
"""

from __future__ import annotations

from datetime import datetime

from django.db import router
from django.db.models import Exists, OuterRef

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.statuses import Status

SETTLED = [status for status in Status if status.rank >= Status.UNRESOLVED.rank]


def prune_messages(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete settled messages created before ``before`` with their reports; return how many messages."""
    using = router.db_for_write(SmsMessage)
    messages = SmsMessage.objects.using(using)
    reports = DeliveryReport.objects.using(using)
    waiting = reports.undispatched().filter(message=OuterRef("pk"))
    pruned, last = 0, 0
    # Windows of primary keys, which rise with created_at: the first one with nothing old in it ends the walk.
    while window := list(messages.filter(pk__gt=last).order_by("pk").values_list("pk", "created_at")[:size]):
        last = window[-1][0]
        old = [pk for pk, created_at in window if created_at < before]
        if not old:
            break
        doomed = list(
            messages.filter(pk__in=old, status__in=SETTLED).exclude(Exists(waiting)).values_list("pk", flat=True)
        )
        pruned += len(doomed)
        if not dry_run:
            reports.filter(message__in=doomed).delete()
            messages.filter(pk__in=doomed).delete()
    return pruned


def prune_orphans(before: datetime, *, size: int = 1000, dry_run: bool = False) -> int:
    """Delete orphan reports received before ``before``; return how many."""
    reports = DeliveryReport.objects.using(router.db_for_write(DeliveryReport))
    pruned, last = 0, 0
    orphans = reports.orphans().filter(dispatch_due_at__isnull=True, received_at__lt=before).order_by("pk")
    while doomed := list(orphans.filter(pk__gt=last).values_list("pk", flat=True)[:size]):
        last = doomed[-1]
        pruned += len(doomed)
        if not dry_run:
            reports.filter(pk__in=doomed).delete()
    return pruned
