"""``manage.py dispatch_dlrs``: send the signals of reports that are due, once or repeatedly."""

from __future__ import annotations

import json
import threading
from typing import Any

from django.core.management.base import CommandParser

from django_messente_dlr import conf, dispatch, receiving
from django_messente_dlr.management.arguments import above_zero, positive
from django_messente_dlr.management.connections import run_on_new_connections
from django_messente_dlr.management.shutdown import pause
from django_messente_dlr.management.unattended import UnattendedCommand


class Command(UnattendedCommand):
    """Run `dispatch.dispatch_overdue`. The output and the exit status are a contract for scripts."""

    help = (
        "Sends the signals of delivery reports that are due: those that are deferred, and those of a process that "
        "died. Run it with --watch, which runs until a signal; any number may run at the same time. "
        "Exit status: 0 success, 2 configuration, 3 the database cannot be used. Errors of receivers are logged. "
        "SIGTERM and SIGINT end it after the receivers of the current report; claimed reports are released."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--report", type=positive, metavar="ID", help="Send the signals of this report only, if they are due.")
        add("--watch", type=above_zero, metavar="SECONDS", help="Run until a signal, with a pause between runs.")
        add("--json", action="store_true", help="Print the result as JSON, one line for each run that sent signals.")

    def work(self, options: dict[str, Any], stop: threading.Event) -> None:
        conf.get_config()
        if options["watch"]:
            self._watch(stop, options)
            return
        self._write(self._dispatch(stop, options["report"]), options)

    def _watch(self, stop: threading.Event, options: dict[str, Any]) -> None:
        """Run until a signal arrives. Errors of the database are logged, and the next run tries again."""

        def run() -> None:
            if dispatched := self._dispatch(stop, options["report"]):
                self._write(dispatched, options)

        while not stop.is_set():
            run_on_new_connections(run)
            pause(options["watch"], stop=stop)

    def _dispatch(self, stop: threading.Event, report_pk: int | None) -> int:
        if report_pk is not None:
            return int(dispatch.dispatch_due(report_pk, on_orphan=receiving.match_orphan))
        return dispatch.dispatch_overdue(stop=stop, on_orphan=receiving.match_orphan)

    def _write(self, dispatched: int, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"dispatched": dispatched}))
        elif options["verbosity"] > 0:
            self.stdout.write(f"reports dispatched {dispatched}")
        self.stdout.flush()
