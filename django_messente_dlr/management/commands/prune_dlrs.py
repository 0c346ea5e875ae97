"""``manage.py prune_dlrs``: delete messages and reports that are old, and about which nothing is left to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import router
from django.db.models import Exists, OuterRef
from django.utils import timezone

from django_messente_dlr.management.arguments import positive
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.statuses import Status

SETTLED = [status for status in Status if status.rank >= Status.UNRESOLVED.rank]


class Command(BaseCommand):
    """One prune, in batches by primary key, so that neither memory nor locks grow with the table."""

    help = (
        "Deletes messages that ended, or were given up, more than --days ago, with their reports, and orphan reports "
        "as old. What is still waited for, or has signals to be sent, stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=positive, required=True, help="Keep what is younger than this many days.")
        parser.add_argument("--batch-size", type=positive, default=1000, help="Rows in one batch.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["days"])
        arguments = {"size": options["batch_size"], "dry_run": options["dry_run"]}
        messages = prune_messages(before, **arguments)
        orphans = prune_orphans(before, **arguments)
        if options["verbosity"] > 0:
            verb = "would delete" if options["dry_run"] else "deleted"
            self.stdout.write(
                f"{verb} {messages} messages and {orphans} orphan reports from before {before:%Y-%m-%d}"
            )


def prune_messages(before: datetime, *, size: int, dry_run: bool) -> int:
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


def prune_orphans(before: datetime, *, size: int, dry_run: bool) -> int:
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
