"""``manage.py demo``: demonstrate the app from sending to signals, on this machine only."""

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
from shop.demo.messages import CREDITS_RESTORED, EXPECTED_SIGNALS, MESSAGES, OUT_OF_CREDITS, DemoMessage
from shop.demo.sending import run_out_of_credits, send
from shop.demo.servers import run_servers
from shop.demo.table import LiveTable, Row
from shop.demo.verification import find_differences
from shop.models import Note

# Seconds between polls.
POLL_INTERVAL = 1.0


class Command(BaseCommand):
    """Run the demo."""

    help = (
        "Replaces the SQLite file with a new one, starts a local Messente and a web server, and sends messages with "
        "every final status. Shows the messages until all have their status, lists the signals, and keeps the site "
        "running until Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--once", action="store_true", help="Stop after the list of signals; status 0 if all is as expected.")
        add("--port", type=int, default=8000, help="The site's port; if it is in use, a free one.")
        add("--sandbox-port", type=int, default=8025, help="The local Messente's port; if it is in use, a free one.")
        add("--timeout", type=float, default=60.0, help="Seconds to wait for the final statuses.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._create_database()
            with run_servers(port=options["port"], sandbox_port=options["sandbox_port"]) as (url, sandbox):
                self._send_messages(sandbox, timeout=options["timeout"])
                if not options["once"]:
                    self._keep_running(url, sandbox)
        except KeyboardInterrupt:
            self.stdout.write("\nThe demo has stopped.")

    def _create_database(self) -> None:
        connections.close_all()
        database = Path(settings.DATABASES["default"]["NAME"])
        for path in (
            database,
            database.with_name(f"{database.name}-wal"),
            database.with_name(f"{database.name}-shm"),
        ):
            path.unlink(missing_ok=True)
        call_command("migrate", verbosity=0)
        self.stdout.write(f"Created {os.path.relpath(database)}.")

    def _send_messages(self, sandbox: Sandbox, *, timeout: float) -> None:
        until = time.monotonic() + timeout
        demo_messages: list[DemoMessage] = []
        messages: list[SmsMessage] = []
        console = Console()
        with LiveTable(console, self.stdout.write) as table:
            for demo_message in MESSAGES:
                messages.append(send(demo_message))
                demo_messages.append(demo_message)
                table.show(current_rows(demo_messages, messages))
            messages.append(run_out_of_credits(OUT_OF_CREDITS, sandbox, until=until))
            demo_messages.append(OUT_OF_CREDITS)
            Poller().run()  # reads the balance, and releases the credit hold
            messages.append(send(CREDITS_RESTORED))
            demo_messages.append(CREDITS_RESTORED)
            while True:
                # A later report could still change an expected status, so the sandbox must be idle, too.
                idle = sandbox.wait_until_idle(POLL_INTERVAL)
                Poller().run()
                rows = current_rows(demo_messages, messages)
                table.show(rows)
                if idle and all(row.status == row.expected for row in rows):
                    break
                if time.monotonic() > until:
                    break
        self._summarize(rows)

    def _summarize(self, rows: list[Row]) -> None:
        self.stdout.write("\nThe signals and their consequences:")
        signal_counts = Counter(Note.objects.values_list("signal", flat=True))
        for signal in EXPECTED_SIGNALS:
            example = Note.objects.filter(signal=signal).order_by("pk").last()
            self.stdout.write(
                f"  {signal:<27}{signal_counts[signal]:>3} times, for example: {example.text if example else '–'}"
            )
        reports = DeliveryReport.objects.count()
        duplicates = sum(DeliveryReport.objects.values_list("times_received", flat=True)) - reports
        self.stdout.write(f"\n{len(rows)} messages, {reports} reports, and {duplicates} duplicates without effect.")
        statuses = [(f"{row.recipient} ({row.description})", row.expected, row.status) for row in rows]
        differences = find_differences(statuses, signal_counts, EXPECTED_SIGNALS)
        if differences:
            raise CommandError("Some results are not as expected.\n" + "\n".join(differences), returncode=1)
        self.stdout.write(self.style.SUCCESS("Every message has its expected status."))

    def _keep_running(self, url: str, sandbox: Sandbox) -> None:
        password = secrets.token_urlsafe(9)
        get_user_model().objects.create_superuser("demo", password=password)
        self.stdout.write(
            f"\nThe shop:       {url}/\n"
            f"The admin:      {url}/admin/   user: demo   password: {password}\n"
            f"The REST API:   {url}/api/messente/messages/   (log in to the admin first)\n"
            f"The sandbox:    {sandbox.url}\n"
            "Press Ctrl-C to stop."
        )
        while True:
            time.sleep(POLL_INTERVAL)
            Poller().run()


def current_rows(demo_messages: list[DemoMessage], messages: list[SmsMessage]) -> list[Row]:
    """Return the rows of the table with the current statuses from the database."""
    stored = SmsMessage.objects.in_bulk([message.pk for message in messages])
    sources = dict(
        DeliveryReport.objects.filter(message__in=stored, outcome=ReportOutcome.ADVANCED)
        .order_by("pk")
        .values_list("message", "source")
    )
    rows = []
    for demo_message, sent_message in zip(demo_messages, messages, strict=True):
        message = stored[sent_message.pk]
        rows.append(
            Row(
                recipient=demo_message.recipient,
                status=message.status,
                expected=demo_message.expected,
                source=sources.get(message.pk, ""),
                cause=str(message.cause.meaning) if message.cause else message.error_description,
                description=demo_message.description,
            )
        )
    return rows
