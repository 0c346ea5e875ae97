"""``manage.py prune_dlrs``: delete messages and reports that are old, and about which nothing is left to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseTrouble
from django.utils import timezone

from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.management.arguments import days, positive
from django_messente_dlr.management.exit_codes import NO_DATABASE


class Command(BaseCommand):
    """One prune, in batches by primary key, so that neither memory nor locks grow with the table."""

    help = (
        "Deletes messages that ended, or were given up, more than --days ago, with their reports, and orphan reports "
        "as old. What is still waited for, or has signals to be sent, stays. Exit status: 0 all well, 3 the database "
        "cannot be used; what was deleted before stays deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=days, required=True, help="Keep what is younger than this many days.")
        parser.add_argument("--batch-size", type=positive, default=1000, help="Rows in one batch.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["days"])
        arguments = {"size": options["batch_size"], "dry_run": options["dry_run"]}
        try:
            messages = prune_messages(before, **arguments)
            orphans = prune_orphans(before, **arguments)
        except DatabaseTrouble as exc:
            raise CommandError(f"The database cannot be used: {exc}", returncode=NO_DATABASE) from exc
        if options["verbosity"] > 0:
            verb = "would delete" if options["dry_run"] else "deleted"
            self.stdout.write(
                f"{verb} {messages} messages and {orphans} orphan reports from before {before:%Y-%m-%d}"
            )
