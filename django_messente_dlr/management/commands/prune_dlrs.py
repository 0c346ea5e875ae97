"""``manage.py prune_dlrs``: delete old messages and reports that need no further work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone

from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.management.arguments import days, positive
from django_messente_dlr.management.database_errors import describe_database_error
from django_messente_dlr.management.exit_codes import NO_DATABASE


class Command(BaseCommand):
    """Delete in batches by primary key, so that neither memory nor locks grow with the table."""

    help = (
        "Deletes messages that ended more than --days ago, with their reports, and orphan reports of the same age. A "
        "message ends with its final report; an unresolved one counts from when it was sent. Messages that are still "
        "pending, reports with unsent signals, and rows that models of the project protect are kept. Exit status: 0 "
        "success, 3 the database cannot be used; the batches before the failure stay deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=days, required=True, help="Keep what ended within this number of days.")
        parser.add_argument("--batch-size", type=positive, default=1000, help="The number of rows in a batch.")
        parser.add_argument("--dry-run", action="store_true", help="Count the rows, and delete nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        cutoff = timezone.now() - timedelta(days=options["days"])
        arguments = {"size": options["batch_size"], "dry_run": options["dry_run"]}
        try:
            messages = prune_messages(cutoff, **arguments)
            orphans = prune_orphans(cutoff, **arguments)
        except DatabaseError as exc:
            raise CommandError(describe_database_error(exc), returncode=NO_DATABASE) from exc
        if options["verbosity"] > 0:
            verb = "would delete" if options["dry_run"] else "deleted"
            self.stdout.write(
                f"{verb} {messages.deleted} messages and {orphans.deleted} orphan reports that ended before "
                f"{cutoff:%Y-%m-%d}"
            )
            for rows, result in (("messages", messages), ("orphan reports", orphans)):
                for model, number in sorted(result.protected.items()):
                    self.stdout.write(f"kept {number} {rows} that rows of {model} protect from deletion")
