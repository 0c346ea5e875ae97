"""SIGKILL at every step of a callback: Messente's retry and the sweep complete the work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, PendingPoll
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.integration.processes.web import ROOT, Web, wait_until

STEPS = [
    "before the commit",
    "between commit and dispatch",
    "in a receiver",
    "before marking as dispatched",
]
DAY = timedelta(days=1)


@pytest.mark.parametrize("step", STEPS)
def test_callback__killed_worker_loses_no_report(
    database: str, messente_sandbox: Sandbox, settings: Any, tmp_path: Path, *, step: str
) -> None:
    with Web(tmp_path, database, messente=messente_sandbox.url, workers=2, die_at=step) as web:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": web.url}
        message = send_sms("+37255500001", "A parcel")
        assert messente_sandbox.wait_until_idle(60)
        attempts = messente_sandbox.callbacks
        assert not attempts[0].ok  # the worker died without a response
        assert attempts[-1].ok  # another worker stored the report when Messente sent it again
        report = DeliveryReport.objects.get()
        wait_until(lambda: DeliveryReport.objects.undispatched().count() == (0 if step == STEPS[0] else 1))
        # Simulate the end of the dead process's dispatch lease.
        DeliveryReport.objects.undispatched().update(dispatch_due_at=F("dispatch_due_at") - DAY)
        web.manage("poll_dlrs")
    message.refresh_from_db()
    assert (message.status, message.err) == ("failed", 1)
    assert not DeliveryReport.objects.undispatched().exists()
    counts = web.count_signals()
    assert {name for name, _ in counts} == {"dlr_received", "dlr_status_changed", "dlr_failed"}
    assert {pk for _, pk in counts} == {str(report.pk)}
    # Once, if no process had started to send the signals. Twice, if the dead process may have sent some of them.
    assert max(counts.values()) == (1 if step in STEPS[:2] else 2)


def test_poll_dlrs__claim_of_killed_poller_expires(database: str, messente_sandbox: Sandbox, tmp_path: Path) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(minutes=1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        web = Web(tmp_path, database, messente=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "django", "poll_dlrs"]
        with subprocess.Popen(command, cwd=ROOT, env=web.environment, stderr=subprocess.DEVNULL) as poller:
            request, _ = silent.accept()  # the poller has claimed the message and polls
            with request:
                os.kill(poller.pid, signal.SIGKILL)
                poller.wait(60)
        web.close()
    message.refresh_from_db()
    assert message.next_poll_at is not None
    assert message.next_poll_at > timezone.now()
    now = timezone.now()
    lease = timedelta(minutes=5)
    assert PendingPoll.objects.claim(10, now=now, lease=lease) == []
    assert PendingPoll.objects.claim(10, now=now + lease + lease, lease=lease) == [message]


def test_poll_dlrs__next_sweep_completes_killed_sweep(database: str, tmp_path: Path) -> None:
    message = SmsMessageFactory.create()
    past = timezone.now() - timedelta(minutes=1)
    report = DeliveryReport.objects.create(
        account="default",
        source="callback",
        received_at=past,
        outcome="advanced",
        message=message,
        stat="DELIVRD",
        status="delivered",
        previous="sent",
        fingerprint="a" * 64,
        signals=["dlr_received", "dlr_status_changed", "dlr_delivered"],
        dispatch_due_at=past,
    )
    web = Web(tmp_path, database, die_at="in a receiver")
    assert web.manage("poll_dlrs", check=False).returncode == -signal.SIGKILL
    assert web.count_signals() == {("dlr_received", str(report.pk)): 1, ("dlr_status_changed", str(report.pk)): 1}
    web.manage("poll_dlrs")
    assert ("dlr_delivered", str(report.pk)) not in web.count_signals()  # the lease of the dead sweep has not expired
    DeliveryReport.objects.update(dispatch_due_at=past)
    web.manage("poll_dlrs")
    web.close()
    assert web.count_signals()["dlr_delivered", str(report.pk)] == 1
    assert not DeliveryReport.objects.undispatched().exists()


def test_web__gunicorn_replaces_killed_worker(database: str, tmp_path: Path) -> None:
    with Web(tmp_path, database, workers=1) as web:
        first = web.workers
        web.kill_a_worker()
        wait_until(lambda: bool(web.workers) and web.workers != first)
        assert len(web.workers) == 1
