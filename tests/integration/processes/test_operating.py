"""Operations while reports arrive: deployments, and restarts of the database during ``poll_dlrs --watch``."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from tests.integration.processes.databases import url_of
from tests.integration.processes.proxy import Proxy
from tests.integration.processes.test_outage import upstream
from tests.integration.processes.web import ROOT, Web, wait_until

SECOND = timedelta(seconds=1)


def expire_leases() -> None:
    """Set the due times of polls and dispatches to the past, as if their leases had expired."""
    PendingPoll.objects.update(due_at=timezone.now() - SECOND)
    DeliveryReport.objects.undispatched().update(dispatch_due_at=timezone.now() - SECOND)


def wait_for_more(count: Callable[[], int], more: int) -> None:
    """Wait until a count has grown by ``more``."""
    before = count()
    wait_until(lambda: count() >= before + more)


def test_deployment__loses_no_report(database: str, settings: Any, tmp_path: Path) -> None:
    with (
        Sandbox({"shop": "a-password"}, delay=0.5) as messente,
        Web(tmp_path, database, messente=messente.url, workers=2) as web,
    ):
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "CALLBACK_BASE_URL": web.url,
            "SEND_API": "sms",
            "API_HOSTS": [messente.url],
        }
        for number in range(40):
            send_sms(f"+3725550{number:02}101", "A parcel")
            if number % 20 == 10:
                web.reload()
        assert messente.wait_until_idle(120)
        expire_leases()
        web.manage("poll_dlrs")
    # No worker responds until the new ones have started. Messente sends a callback again that timed out.
    received = {(attempt.message.message_id, attempt.step.stat) for attempt in messente.callbacks if attempt.ok}
    assert len(received) == DeliveryReport.objects.count() == 80
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"delivered"}
    assert not DeliveryReport.objects.undispatched().exists()
    assert {name for name, _ in web.count_signals()} == {"dlr_received", "dlr_status_changed", "dlr_delivered"}
    assert len(web.count_signals()) == 80 + 40 + 40


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that could be restarted")
def test_poll_dlrs_watch__continues_after_database_outage(
    database: str, settings: Any, messente_sandbox: Sandbox, tmp_path: Path
) -> None:
    messages = [send_sms(f"+3725550{number:02}141", "A parcel") for number in range(30)]
    expire_leases()
    with Proxy(upstream()) as proxy:
        url = url_of(connection.settings_dict, connection.vendor, port=proxy.port)
        web = Web(tmp_path, url, messente=messente_sandbox.url)
        command = [sys.executable, "-m", "django", "poll_dlrs", "--watch=0.2", "--rate=20", "--concurrency=2"]
        with subprocess.Popen(command, cwd=ROOT, env=web.environment, stdout=subprocess.DEVNULL) as poller:
            for _ in range(2):
                wait_for_more(lambda: sum(message.poll_count for message in messente_sandbox.messages), 5)
                proxy.go_away()
                wait_for_more(lambda: web.log.read_text().count("the next run tries again"), 2)
                proxy.come_back()
                expire_leases()
            wait_until(lambda: SmsMessage.objects.delivered().count() == len(messages))
            expire_leases()
            wait_until(lambda: not DeliveryReport.objects.undispatched().exists())
            poller.send_signal(signal.SIGTERM)
            assert poller.wait(30) == 0
        web.close()
    assert DeliveryReport.objects.filter(source="poll", outcome="advanced").count() == len(messages)
    delivered = {report for name, report in web.count_signals() if name == "dlr_delivered"}
    assert len(delivered) == len(messages)
