"""``manage.py erase_recipient``: replace a phone number by a pseudonym in every table of this app."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import router

from django_messente_dlr.maintenance.erasure import ErasureResult, erase_recipients
from django_messente_dlr.management.arguments import phone_number, positive
from django_messente_dlr.management.database_errors import describe_database_error
from django_messente_dlr.management.exit_codes import FAILED, NO_DATABASE
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils.phone_numbers import spellings


class Command(BaseCommand):
    """Erase in batches by primary key. The output and the exit status are a contract for scripts."""

    help = (
        "Replaces a phone number by a random pseudonym in messages, delivery reports, accounts and the admin's log "
        "entries about them. Counts, statuses and IDs are kept. All rows are read, which takes minutes if there are "
        "millions; the command can run while messages are sent and reported, and can be repeated. Exit status: 0 "
        "success, 1 not confirmed, 2 wrong arguments, 3 the database cannot be used; the batches before the failure "
        "stay erased."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("number", type=phone_number, help="The number in international format, such as +37255500000.")
        add("--batch-size", type=positive, default=500, help="The number of rows in a batch.")
        add("--dry-run", action="store_true", help="Count the rows, and erase nothing.")
        add("--json", action="store_true", help="Print the numbers of rows as JSON.")
        add(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="Do not prompt for confirmation.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["number"]
        try:
            if options["interactive"] and not options["dry_run"]:
                self._confirm(number)
            result = erase_recipients([number], size=options["batch_size"], dry_run=options["dry_run"])
        except DatabaseError as exc:
            raise CommandError(describe_database_error(exc), returncode=NO_DATABASE) from exc
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(result), "dry_run": options["dry_run"]}))
        elif options["verbosity"] > 0:
            self.stdout.write(_format(result, dry_run=options["dry_run"]))

    def _confirm(self, number: str) -> None:
        """Raise CommandError unless a person confirms. The question is written to standard error."""
        messages = SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(recipient__in=spellings(number))
        self.stderr.write(
            f"{messages.count()} messages were sent to {number}. The number will be erased in these messages and "
            "wherever else this app has stored it. It cannot be restored.\n"
            "Type 'yes' to continue, or 'no' to cancel:",
            style_func=str,
        )
        try:
            answer = input()
        except EOFError:
            answer = ""
        if answer != "yes":
            raise CommandError("Nothing was erased. Without a terminal, use --noinput.", returncode=FAILED)


def _format(result: ErasureResult, *, dry_run: bool) -> str:
    """Return a result as one line of text. It has no pseudonym, so that no output links a pseudonym to its number."""
    return (
        f"{'would erase' if dry_run else 'erased'} the number in {result.messages} messages, "
        f"{result.reports} delivery reports, {result.accounts} accounts and {result.log_entries} log entries"
    )
