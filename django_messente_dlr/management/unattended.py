"""What the commands have in common that cron or systemd runs: a signal ends them, and errors have an exit status."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import Error as DatabaseError

from django_messente_dlr.management.arguments import above_zero, positive
from django_messente_dlr.management.database_errors import describe_database_error
from django_messente_dlr.management.exit_codes import FAILED, MISCONFIGURED, NO_DATABASE
from django_messente_dlr.management.shutdown import until_signalled


class UnattendedCommand(BaseCommand):
    """Run `work` until it ends or a signal arrives. The output and the exit status are a contract for scripts."""

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
            with until_signalled(stop):
                self.work(options, stop)
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc), returncode=MISCONFIGURED) from exc
        except DatabaseError as exc:
            raise CommandError(describe_database_error(exc), returncode=NO_DATABASE) from exc

    def work(self, options: dict[str, Any], stop: threading.Event) -> None:
        """Do the work of the command.

        Args:
            options: the options of the command line.
            stop: is set when a signal arrives.

        Raises:
            CommandError: a part of the work failed.
            ImproperlyConfigured: a setting is invalid.
            Error: the database cannot be used.
        """
        raise NotImplementedError


def add_run_options(parser: ArgumentParser, *, verb: str, rate_help: str) -> None:
    """Add the options of a command that sends requests.

    Args:
        parser: the parser of the command.
        verb: what the command does with messages, such as "poll".
        rate_help: the help for --rate.
    """
    add = parser.add_argument
    add("--account", action="append", help=f"{verb.capitalize()} only this account; may be repeated.")
    add("--concurrency", type=positive, metavar="N", help="The number of requests at the same time.")
    add("--rate", type=above_zero, metavar="N", help=rate_help)
    add("--limit", type=positive, metavar="N", help=f"The highest number of messages to {verb} in one run.")
    add("--watch", type=above_zero, metavar="SECONDS", help="Run until a signal, with a pause between runs.")
    add("--dry-run", action="store_true", help="Print what is due; send no request and change nothing.")
    add("--json", action="store_true", help="Print the summary as JSON, one line for each run.")


def raise_failures(stopped: Mapping[str, str], failure: str) -> None:
    """Raise the CommandError of a run in which something failed.

    Args:
        stopped: the errors of the accounts that Messente refused, by name.
        failure: what failed otherwise, or "" if nothing did.
    """
    if stopped:
        errors = " ".join(f"Account {name}: {error}" for name, error in stopped.items())
        raise CommandError(errors, returncode=MISCONFIGURED)
    if failure:
        raise CommandError(failure, returncode=FAILED)
