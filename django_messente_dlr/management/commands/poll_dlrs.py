"""``manage.py poll_dlrs``: poll Messente for overdue delivery reports, once or repeatedly."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.maintenance.sweep import check_balances
from django_messente_dlr.management.arguments import positive
from django_messente_dlr.management.connections import run_on_new_connections
from django_messente_dlr.management.due_messages import (
    count_by_account,
    count_waiting,
    describe_due,
    describe_waiting,
    isoformat,
    of_accounts,
)
from django_messente_dlr.management.progress import run_progress
from django_messente_dlr.management.shutdown import pause
from django_messente_dlr.management.unattended import UnattendedCommand, add_run_options, raise_failures
from django_messente_dlr.models import PendingPoll
from django_messente_dlr.polling import Poller, Summary

# Seconds. A pause between runs may be longer, but no hold of an account that has credit lasts longer.
BALANCE_CHECK_INTERVAL = 300.0


class Command(UnattendedCommand):
    """Run the `Poller`. The output and the exit status are a contract for scripts."""

    help = (
        "Polls Messente for overdue delivery reports, matches orphan reports, and sends signals that are overdue. "
        "Run it every minute, or once with --watch, which runs until a signal; any number may run at the same time. "
        "Exit status: 0 success, 1 some polls failed, 2 configuration or credentials, 3 the database cannot be used. "
        "SIGTERM and SIGINT end it within the time of one request; messages that it claimed and did not poll are "
        "released."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_run_options(
            parser, verb="poll", rate_help="Requests a second; Messente's limit is 150 for an IP address."
        )
        parser.add_argument("--batch-size", type=positive, metavar="N", help="The number of messages in one claim.")

    def work(self, options: dict[str, Any], stop: threading.Event) -> None:
        if options["dry_run"]:
            self._write_due(options)
            return
        rows = of_accounts(PendingPoll.objects.all(), options["account"])
        with run_progress(rows, options) as advance:
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
        self._write_summary(summary, options)
        raise_failures(
            summary.stopped, f"{summary.failed} polls failed; the log has the reasons." if summary.failed else ""
        )

    def _watch(self, poller: Poller, stop: threading.Event, options: dict[str, Any]) -> None:
        """Run until a signal arrives. Errors of the database are logged, and the next run tries again."""
        while not stop.is_set():
            run_on_new_connections(lambda: self._write_summary(poller.run(), options))
            remaining = options["watch"]
            while remaining > BALANCE_CHECK_INTERVAL and not stop.is_set():
                pause(BALANCE_CHECK_INTERVAL, stop=stop)
                run_on_new_connections(lambda: check_balances(options["account"]))
                remaining -= BALANCE_CHECK_INTERVAL
            pause(remaining, stop=stop)

    def _write_summary(self, summary: Summary, options: dict[str, Any]) -> None:
        waiting, next_poll_at = count_waiting(of_accounts(PendingPoll.objects.all(), options["account"]))
        if options["json"]:
            values = {"waiting": waiting, "next_poll_at": isoformat(next_poll_at)}
            self.stdout.write(json.dumps({**asdict(summary), **values}))
        elif options["verbosity"] > 0:
            self.stdout.write(
                _format_summary(summary, describe_waiting(waiting, next_poll_at, what_for=" for a poll"))
            )
        self.stdout.flush()

    def _write_due(self, options: dict[str, Any]) -> None:
        pending = of_accounts(PendingPoll.objects.all(), options["account"])
        due = pending.due(timezone.now())
        without_id = Q(message__sms_unique_id=None, message__omnimessage_id="")
        due_by_account = count_by_account(due.filter(account__in=list(conf.accounts())).exclude(without_id))
        unpollable = due.count() - sum(due_by_account.values())
        _, next_poll_at = count_waiting(pending)
        if options["json"]:
            values = {"due": due_by_account, "unpollable": unpollable, "next_poll_at": isoformat(next_poll_at)}
            self.stdout.write(json.dumps(values))
            return
        why_not = "polled (no ID, or an unknown account)"
        self.stdout.write(
            describe_due(due_by_account, verb="poll", others=unpollable, why_not=why_not, next_at=next_poll_at)
        )


def _format_summary(summary: Summary, waiting: str) -> str:
    """Return a summary as one line of text, with the messages that wait."""
    return (
        f"asked {summary.asked}, final {summary.final}, open {summary.open}, unresolved {summary.unresolved}, "
        f"failed {summary.failed}, postponed {summary.postponed}, orphans matched {summary.matched}, "
        f"reports dispatched {summary.dispatched}, missing polls created {summary.scheduled}; {waiting}"
        + "".join(f"; account {name} is {hold}" for name, hold in summary.held.items())
    )
