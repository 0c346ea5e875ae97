"""``manage.py demo``: the whole road at once, from sending to signals, on this machine alone."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rich.console import Console

from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from shop.demo.cast import AFTERWARDS, CAST, EXPECTED_SIGNALS, OUT_OF_CREDIT, Part
from shop.demo.play import run_out_of_credit, send
from shop.demo.stage import stage
from shop.demo.table import Board, Line
from shop.demo.verdict import differences
from shop.models import Note

POLL_EVERY = 1.0


class Command(BaseCommand):
    """The demo."""

    help = (
        "Migrates a fresh SQLite file, starts a local Messente and a web server, sends messages that end in every "
        "way, shows them until all have ended, tells what the signals did, and leaves the site up. Ctrl-C ends it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="End when all is told; status 0 if all ended well.")
        parser.add_argument("--port", type=int, default=8000, help="The site's port; a free one if it is taken.")
        parser.add_argument("--sandbox-port", type=int, default=8025, help="The local Messente's port; likewise.")
        parser.add_argument("--timeout", type=float, default=60.0, help="Seconds until everything must have ended.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._start_afresh()
            with stage(port=options["port"], sandbox_port=options["sandbox_port"]) as (url, messente):
                self._play(messente, timeout=options["timeout"])
                if not options["once"]:
                    self._stay(url, messente)
        except KeyboardInterrupt:
            self.stdout.write("\nThe demo has ended.")

    def _start_afresh(self) -> None:
        connections.close_all()
        database = Path(settings.DATABASES["default"]["NAME"])
        for name in (
            database,
            database.with_name(f"{database.name}-wal"),
            database.with_name(f"{database.name}-shm"),
        ):
            name.unlink(missing_ok=True)
        call_command("migrate", verbosity=0)
        self.stdout.write(f"Migrated a fresh {os.path.relpath(database)}.")

    def _play(self, messente: Sandbox, *, timeout: float) -> None:
        until = time.monotonic() + timeout
        parts: list[Part] = []
        messages: list[SmsMessage] = []
        console = Console()
        with Board(console, self.stdout.write) as board:
            for part in CAST:
                messages.append(send(part))
                parts.append(part)
                board.show(lines(parts, messages))
            messages.append(run_out_of_credit(OUT_OF_CREDIT, messente, until=until))
            parts.append(OUT_OF_CREDIT)
            Poller().run()  # sees that there is credit again
            messages.append(send(AFTERWARDS))
            parts.append(AFTERWARDS)
            while True:
                # Nothing may be on its way any more: an end that is right too early could still be undone.
                idle = messente.wait_until_idle(POLL_EVERY)
                Poller().run()
                shown = lines(parts, messages)
                board.show(shown)
                if idle and all(line.status == line.expected for line in shown):
                    break
                if time.monotonic() > until:
                    break
        self._tell(shown)

    def _tell(self, shown: list[Line]) -> None:
        self.stdout.write("\nWhat the signals did:")
        heard = Counter(Note.objects.values_list("signal", flat=True))
        for signal in EXPECTED_SIGNALS:
            example = Note.objects.filter(signal=signal).order_by("pk").last()
            self.stdout.write(
                f"  {signal:<27}{heard[signal]:>3} times, such as: {example.sentence if example else '–'}"
            )
        reports = DeliveryReport.objects.count()
        repeated = sum(DeliveryReport.objects.values_list("times_received", flat=True)) - reports
        self.stdout.write(
            f"\n{len(shown)} messages, {reports} reports; {repeated} more were told again and changed nothing."
        )
        ends = [(f"{line.recipient} ({line.story})", line.expected, line.status) for line in shown]
        wrong = differences(ends, heard, EXPECTED_SIGNALS)
        if wrong:
            raise CommandError("Not everything ended as it should.\n" + "\n".join(wrong), returncode=1)
        self.stdout.write(self.style.SUCCESS("Every message ended as it should."))

    def _stay(self, url: str, messente: Sandbox) -> None:
        password = secrets.token_urlsafe(9)
        get_user_model().objects.create_superuser("demo", password=password)
        self.stdout.write(
            f"\nThe shop:       {url}/\n"
            f"The admin:      {url}/admin/   user: demo   password: {password}\n"
            f"The REST API:   {url}/api/messente/messages/   (log in at the admin first)\n"
            f"The sandbox:    {messente.url}\n"
            "Ctrl-C ends it."
        )
        while True:
            time.sleep(POLL_EVERY)
            Poller().run()


def lines(parts: list[Part], messages: list[SmsMessage]) -> list[Line]:
    """Return what the table shows of the messages now."""
    rows = SmsMessage.objects.in_bulk([message.pk for message in messages])
    last = dict(
        DeliveryReport.objects.filter(message__in=rows, outcome=ReportOutcome.ADVANCED)
        .order_by("pk")
        .values_list("message", "source")
    )
    shown = []
    for part, message in zip(parts, messages, strict=True):
        row = rows[message.pk]
        cause = str(row.cause.meaning) if row.cause else row.error_text
        how = last.get(row.pk, "")
        shown.append(Line(part.recipient, row.status, part.expected, how, cause, part.story))
    return shown
