"""``manage.py send_queued``: send the queued messages that are due, once or repeatedly."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from django_messente_dlr import accounts, conf
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
from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.sending.queue.summary import QueueSummary
from django_messente_dlr.sending.queue.worker import QueueWorker


class Command(UnattendedCommand):
    """Run the `QueueWorker`. The output and the exit status are a contract for scripts."""

    help = (
        "Sends the queued messages that are due: the highest priority first, then those that have been due longest. "
        "Run it with --watch, which runs until a signal, or every minute; any number may run at the same time. "
        "Exit status: 0 success, 1 some messages could not be sent or their outcome is unknown, 2 configuration or "
        "credentials, 3 the database cannot be used. SIGTERM and SIGINT end it within the time of one request; "
        "messages that it claimed and did not send are released."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_run_options(
            parser, verb="send", rate_help="Requests a second; Messente's limit is 150 for an IP address."
        )

    def work(self, options: dict[str, Any], stop: threading.Event) -> None:
        if options["dry_run"]:
            self._write_due(options)
            return
        rows = of_accounts(QueuedMessage.objects.all(), options["account"])
        with run_progress(rows, options) as advance:
            worker = QueueWorker(
                account_names=options["account"],
                concurrency=options["concurrency"],
                rate=options["rate"],
                limit=options["limit"],
                stop=stop,
                progress=advance,
            )
            if options["watch"]:
                self._watch(worker, stop, options)
                return
            summary = worker.run()
        self._write_summary(summary, options)
        not_sent = summary.postponed + summary.failed
        failure = f"{not_sent} messages could not be sent, and the outcome of {summary.unknown} is unknown"
        raise_failures(summary.stopped, f"{failure}; the log has the reasons." if not_sent + summary.unknown else "")

    def _watch(self, worker: QueueWorker, stop: threading.Event, options: dict[str, Any]) -> None:
        """Run until a signal arrives. Errors of the database are logged, and the next run tries again."""
        empty = QueueSummary()

        def run() -> None:
            if (summary := worker.run()) != empty:
                self._write_summary(summary, options)

        while not stop.is_set():
            run_on_new_connections(run)
            pause(options["watch"], stop=stop)

    def _write_summary(self, summary: QueueSummary, options: dict[str, Any]) -> None:
        waiting, next_due_at = count_waiting(
            of_accounts(QueuedMessage.objects.all(), options["account"]).waiting(timezone.now())
        )
        if options["json"]:
            values = {"waiting": waiting, "next_due_at": isoformat(next_due_at)}
            self.stdout.write(json.dumps({**asdict(summary), **values}))
        elif options["verbosity"] > 0:
            self.stdout.write(_format_summary(summary, describe_waiting(waiting, next_due_at)))
        self.stdout.flush()

    def _write_due(self, options: dict[str, Any]) -> None:
        queue, now = of_accounts(QueuedMessage.objects.all(), options["account"]), timezone.now()
        due = queue.due(now)
        can_send = set(conf.accounts()) - accounts.paused_accounts()
        due_by_account = count_by_account(due.filter(account__in=can_send))
        others = due.count() - sum(due_by_account.values())
        _, next_due_at = count_waiting(queue.waiting(now))
        if options["json"]:
            values = {"due": due_by_account, "unsendable": others, "next_due_at": isoformat(next_due_at)}
            self.stdout.write(json.dumps(values))
            return
        why_not = "sent (an account on credit hold, or an unknown one)"
        self.stdout.write(
            describe_due(due_by_account, verb="send", others=others, why_not=why_not, next_at=next_due_at)
        )


def _format_summary(summary: QueueSummary, waiting: str) -> str:
    """Return a summary as one line of text, with the messages that wait."""
    return (
        f"sent {summary.sent}, refused {summary.refused}, failed {summary.failed}, postponed {summary.postponed}, "
        f"unknown {summary.unknown}; {waiting}"
        + "".join(f"; account {name} is on credit hold" for name in summary.held)
    )
