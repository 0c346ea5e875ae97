"""``manage.py poll_dlrs``: poll Messente for overdue delivery reports, once or repeatedly."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django.db.models import Count, Min, Q
from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.maintenance.sweep import check_balances
from django_messente_dlr.management.arguments import above_zero, positive
from django_messente_dlr.management.database_errors import describe_database_error
from django_messente_dlr.management.exit_codes import FAILED, MISCONFIGURED, NO_DATABASE
from django_messente_dlr.management.progress import progress
from django_messente_dlr.management.shutdown import pause, until_signalled
from django_messente_dlr.models import PendingPoll
from django_messente_dlr.models.querysets import PendingPollQuerySet
from django_messente_dlr.polling import Poller, Summary

logger = logging.getLogger(__name__)

# Seconds. A pause between runs may be longer, but no hold of an account that has credit lasts longer.
BALANCE_CHECK_INTERVAL = 300.0


class Command(BaseCommand):
    """Run the `Poller`. The output and the exit status are a contract for scripts."""

    help = (
        "Polls Messente for overdue delivery reports, matches orphan reports, and sends signals that are overdue. "
        "Run it every minute, or once with --watch, which runs until a signal; any number may run at the same time. "
        "Exit status: 0 success, 1 some polls failed, 2 configuration or credentials, 3 the database cannot be used. "
        "SIGTERM and SIGINT end it within the time of one request; messages that it claimed and did not poll are "
        "released."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--account", action="append", help="Poll only this account; may be repeated.")
        add("--batch-size", type=positive, metavar="N", help="The number of messages in one claim.")
        add("--concurrency", type=positive, metavar="N", help="The number of requests at the same time.")
        add(
            "--rate",
            type=above_zero,
            metavar="N",
            help="Requests a second; Messente's limit is 150 for an IP address.",
        )
        add("--limit", type=positive, metavar="N", help="The highest number of messages to poll in one run.")
        add("--watch", type=above_zero, metavar="SECONDS", help="Run until a signal, with a pause between runs.")
        add("--dry-run", action="store_true", help="Print what is due; send no request and change nothing.")
        add("--json", action="store_true", help="Print the summary as JSON, one line for each run.")

    def check(self, *args: Any, **options: Any) -> None:
        try:
            super().check(*args, **options)
        except SystemCheckError as exc:
            # The same status as for any other invalid setting, so that systemd does not restart the service.
            exc.returncode = MISCONFIGURED
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        try:
            if options["dry_run"]:
                self._write_due(options)
                return
            with (
                until_signalled(stop),
                progress(
                    total=lambda: min(_pending_polls(options).due(timezone.now()).count(), options["limit"] or 10**9),
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
            self._write_summary(summary, options)
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc), returncode=MISCONFIGURED) from exc
        except DatabaseError as exc:
            raise CommandError(describe_database_error(exc), returncode=NO_DATABASE) from exc
        if summary.stopped:
            errors = " ".join(f"Account {name}: {error}" for name, error in summary.stopped.items())
            raise CommandError(errors, returncode=MISCONFIGURED)
        if summary.failed:
            raise CommandError(f"{summary.failed} polls failed; the log has the reasons.", returncode=FAILED)

    def _watch(self, poller: Poller, stop: threading.Event, options: dict[str, Any]) -> None:
        """Run until a signal arrives. Errors of the database are logged, and the next run tries again."""
        while not stop.is_set():
            _run_on_new_connections(lambda: self._write_summary(poller.run(), options))
            remaining = options["watch"]
            while remaining > BALANCE_CHECK_INTERVAL and not stop.is_set():
                pause(BALANCE_CHECK_INTERVAL, stop=stop)
                _run_on_new_connections(lambda: check_balances(options["account"]))
                remaining -= BALANCE_CHECK_INTERVAL
            pause(remaining, stop=stop)

    def _write_summary(self, summary: Summary, options: dict[str, Any]) -> None:
        if options["json"]:
            waiting, next_poll_at = _count_waiting(options)
            values = {"waiting": waiting, "next_poll_at": next_poll_at and next_poll_at.isoformat()}
            self.stdout.write(json.dumps({**asdict(summary), **values}))
        elif options["verbosity"] > 0:
            self.stdout.write(_format_summary(summary, _format_waiting(*_count_waiting(options))))
        self.stdout.flush()

    def _write_due(self, options: dict[str, Any]) -> None:
        pending = _pending_polls(options)
        due = pending.due(timezone.now())
        without_id = Q(message__sms_unique_id=None, message__omnimessage_id="")
        pollable = due.filter(account__in=list(conf.accounts())).exclude(without_id)
        due_by_account = dict(pollable.order_by("account").values_list("account").annotate(number=Count("pk")))
        unpollable = due.count() - sum(due_by_account.values())
        next_poll_at = pending.aggregate(at=Min("due_at"))["at"]
        if options["json"]:
            values = {
                "due": due_by_account,
                "unpollable": unpollable,
                "next_poll_at": next_poll_at and next_poll_at.isoformat(),
            }
            self.stdout.write(json.dumps(values))
            return
        counts = ", ".join(f"{name} {number}" for name, number in due_by_account.items())
        self.stdout.write(
            f"would poll {sum(due_by_account.values())} messages"
            + (f" ({counts})" if counts else "")
            + (f"; {unpollable} cannot be polled (no ID, or an unknown account)" if unpollable else "")
            + (f"; the first is due at {next_poll_at:%Y-%m-%d %H:%M:%S %Z}" if next_poll_at else "")
        )


def _run_on_new_connections(work: Callable[[], object]) -> None:
    """Call a function, and log an error of the database."""
    close_old_connections()  # as Django does between requests: CONN_MAX_AGE applies
    try:
        work()
    except DatabaseError as exc:
        logger.warning("%s; the next run tries again", describe_database_error(exc))
        connections.close_all()
    close_old_connections()


def _pending_polls(options: dict[str, Any]) -> PendingPollQuerySet:
    """Return the pending polls of the accounts in the options; of all accounts if none is named."""
    names = options["account"]
    if names is None:
        return PendingPoll.objects.all()
    return PendingPoll.objects.filter(account__in=[conf.account(name).name for name in names])


def _count_waiting(options: dict[str, Any]) -> tuple[int, datetime | None]:
    """Return the number of messages that wait for a poll, and the time of the first poll."""
    waiting = _pending_polls(options).aggregate(number=Count("pk"), at=Min("due_at"))
    return waiting["number"], waiting["at"]


def _format_waiting(number: int, next_poll_at: datetime | None) -> str:
    if next_poll_at is None:
        return "no message waits for a poll"
    local = timezone.localtime(next_poll_at) if timezone.is_aware(next_poll_at) else next_poll_at
    messages = "1 message waits" if number == 1 else f"{number} messages wait"
    return f"{messages} for a poll, the first is due at {local:%Y-%m-%d %H:%M:%S %Z}".rstrip()


def _format_summary(summary: Summary, waiting: str) -> str:
    """Return a summary as one line of text, with the messages that wait."""
    return (
        f"asked {summary.asked}, final {summary.final}, open {summary.open}, unresolved {summary.unresolved}, "
        f"failed {summary.failed}, postponed {summary.postponed}, orphans matched {summary.matched}, "
        f"reports dispatched {summary.dispatched}, missing polls created {summary.scheduled}; {waiting}"
        + "".join(f"; account {name} is {hold}" for name, hold in summary.held.items())
    )
