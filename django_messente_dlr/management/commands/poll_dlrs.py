"""``manage.py poll_dlrs``: ask Messente about the messages whose reports have not come."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_messente_dlr.management.arguments import positive
from django_messente_dlr.polling import Poller, Summary

FAILED, MISCONFIGURED = 1, 2


class Command(BaseCommand):
    """One run of the Poller, as a contract: what it prints and its exit status are for scripts too."""

    help = (
        "Asks Messente about messages whose delivery reports are overdue, and finishes what was left undone. "
        "Run it every minute. Exit status: 0 all well, 1 some questions failed, 2 configuration or credentials."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", action="append", help="Poll this account only; may be repeated.")
        parser.add_argument("--batch-size", type=positive, help="Messages in one claim.")
        parser.add_argument("--concurrency", type=positive, help="Questions asked at the same time.")
        parser.add_argument("--limit", type=positive, help="The greatest number of messages to ask about.")
        parser.add_argument("--json", action="store_true", help="Print the summary as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            poller = Poller(
                account_names=options["account"],
                batch_size=options["batch_size"],
                concurrency=options["concurrency"],
                limit=options["limit"],
            )
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc), returncode=MISCONFIGURED) from exc
        summary = poller.run()
        if options["json"]:
            self.stdout.write(json.dumps(asdict(summary)))
        elif options["verbosity"] > 0:
            self.stdout.write(_line(summary))
        if summary.stopped:
            told = " ".join(f"Account {name}: {error}" for name, error in summary.stopped.items())
            raise CommandError(told, returncode=MISCONFIGURED)
        if summary.failed:
            raise CommandError(f"{summary.failed} questions failed; the log says why.", returncode=FAILED)


def _line(summary: Summary) -> str:
    return (
        f"asked {summary.asked}, final {summary.final}, open {summary.open}, unresolved {summary.unresolved}, "
        f"failed {summary.failed}, orphans matched {summary.matched}, reports dispatched {summary.dispatched}"
    )
