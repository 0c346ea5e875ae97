"""``manage.py poll_dlrs``: ask Messente about the messages whose reports have not come, once or for ever."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, connections
from django.db.models import Count, Min, Q
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.management.arguments import above_zero, positive
from django_messente_dlr.management.exit_codes import FAILED, MISCONFIGURED, NO_DATABASE
from django_messente_dlr.management.progress import progress
from django_messente_dlr.management.shutdown import pause, until_signalled
from django_messente_dlr.models import PendingPoll
from django_messente_dlr.models.querysets import PendingPollQuerySet
from django_messente_dlr.polling import Poller, Summary

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """The Poller as a contract: what it prints and its exit status are for scripts too."""

    help = (
        "Asks Messente about messages whose delivery reports are overdue, and finishes what was left undone. "
        "Have it started every minute, or start it once with --watch, which runs for ever; any number may run at the "
        "same time. Exit status: 0 all well, "
        "1 some questions failed, 2 configuration or credentials, 3 the database cannot be used. SIGTERM and SIGINT "
        "end it within the time of one question; what was claimed and not asked about is given back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--account", action="append", help="Poll this account only; may be repeated.")
        add("--batch-size", type=positive, metavar="N", help="Messages in one claim.")
        add("--concurrency", type=positive, metavar="N", help="Questions asked at the same time.")
        add(
            "--rate", type=above_zero, metavar="X", help="Questions a second; Messente's own limit is 150 an address."
        )
        add("--limit", type=positive, metavar="N", help="The greatest number of messages to ask about in one run.")
        add("--watch", type=above_zero, metavar="SECONDS", help="Run for ever, with so long a pause between runs.")
        add("--dry-run", action="store_true", help="Only tell what is due; ask and change nothing.")
        add("--json", action="store_true", help="Print the summary as JSON, a line for each run.")

    def check(self, *args: Any, **options: Any) -> None:
        try:
            super().check(*args, **options)
        except SystemCheckError as exc:
            # As from any other wrong setting: a service that came again would find it as it was.
            exc.returncode = MISCONFIGURED
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        try:
            if options["dry_run"]:
                self._tell_what_is_due(options)
                return
            with (
                until_signalled(stop),
                progress(
                    total=lambda: min(_of(options).due(timezone.now()).count(), options["limit"] or 10**9),
                    shown=not options["json"] and options["watch"] is None and options["verbosity"] > 0,
                ) as advance,
            ):
                poller = Poller(
                    account_names=options["account"],
                    batch_size=options["batch_size"],
                    concurrency=options["concurrency"],
                    rate=options["rate"],
                    limit=options["limit"],
                    stop=stop,
                    progress=advance,
                )
                if options["watch"]:
                    self._watch(poller, stop, options)
                    return
                summary = poller.run()
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc), returncode=MISCONFIGURED) from exc
        except DatabaseTrouble as exc:
            raise CommandError(f"The database cannot be used: {exc}", returncode=NO_DATABASE) from exc
        self._tell(summary, options)
        if summary.stopped:
            told = " ".join(f"Account {name}: {error}" for name, error in summary.stopped.items())
            raise CommandError(told, returncode=MISCONFIGURED)
        if summary.failed:
            raise CommandError(f"{summary.failed} questions failed; the log says why.", returncode=FAILED)

    def _watch(self, poller: Poller, stop: threading.Event, options: dict[str, Any]) -> None:
        """Run again and again until a signal comes; trouble with the database is logged and outlived."""
        while not stop.is_set():
            close_old_connections()  # as Django does between requests: some die of old age
            try:
                self._tell(poller.run(), options)
            except DatabaseTrouble as exc:
                logger.warning("The database cannot be used; polling goes on when it can: %s", exc)
                connections.close_all()
            close_old_connections()
            pause(options["watch"], ended=stop)

    def _tell(self, summary: Summary, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(asdict(summary)))
        elif options["verbosity"] > 0:
            self.stdout.write(_line(summary))
        self.stdout.flush()

    def _tell_what_is_due(self, options: dict[str, Any]) -> None:
        pending = _of(options)
        taken = pending.due(timezone.now())
        nameless = Q(message__sms_unique_id=None, message__omnimessage_id="")
        askable = taken.filter(account__in=list(conf.accounts())).exclude(nameless)
        due = dict(askable.order_by("account").values_list("account").annotate(number=Count("pk")))
        others = taken.count() - sum(due.values())
        next_poll_at = pending.aggregate(at=Min("due_at"))["at"]
        if options["json"]:
            at = next_poll_at and next_poll_at.isoformat()
            self.stdout.write(json.dumps({"due": due, "unaskable": others, "next_poll_at": at}))
            return
        of_each = ", ".join(f"{name} {number}" for name, number in due.items())
        self.stdout.write(
            f"would ask about {sum(due.values())} messages"
            + (f" ({of_each})" if due else "")
            + (f"; nobody can be asked about {others} (no id, or no such account)" if others else "")
            + (f"; the first is due at {next_poll_at:%Y-%m-%d %H:%M:%S %Z}" if next_poll_at else "")
        )


def _of(options: dict[str, Any]) -> PendingPollQuerySet:
    """Return what is waited for of the accounts that are to be polled."""
    names = options["account"]
    if names is None:
        return PendingPoll.objects.all()
    return PendingPoll.objects.filter(account__in=[conf.account(name).name for name in names])


def _line(summary: Summary) -> str:
    return (
        f"asked {summary.asked}, final {summary.final}, open {summary.open}, unresolved {summary.unresolved}, "
        f"failed {summary.failed}, postponed {summary.postponed}, orphans matched {summary.matched}, "
        f"reports dispatched {summary.dispatched}"
    )
