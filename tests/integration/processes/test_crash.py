"""``kill -9`` at every step: what Messente brings again, and the sweep, leave nothing undone."""

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
    "before it is noted that the signals were sent",
]
DAY = timedelta(days=1)


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_is_killed_loses_nothing(
    database: str, messente_sandbox: Sandbox, settings: Any, tmp_path: Path, *, step: str
) -> None:
    with Web(tmp_path, database, messente=messente_sandbox.url, workers=2, die_at=step) as web:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": web.url}
        message = send_sms("+37255500001", "A parcel")
        assert messente_sandbox.wait_until_idle(60)
        attempts = messente_sandbox.callbacks
        assert not attempts[0].ok  # the worker died without an answer …
        assert attempts[-1].ok  # … and another took the report when it was brought again
        report = DeliveryReport.objects.get()
        wait_until(lambda: DeliveryReport.objects.undispatched().count() == (0 if step == STEPS[0] else 1))
        # Time passes: the lease of the process that died runs out.
        DeliveryReport.objects.undispatched().update(dispatch_due_at=F("dispatch_due_at") - DAY)
        web.manage("poll_dlrs")
    message.refresh_from_db()
    assert (message.status, message.err) == ("failed", 1)
    assert not DeliveryReport.objects.undispatched().exists()
    heard = web.heard()
    assert {name for name, _ in heard} == {"dlr_received", "dlr_status_changed", "dlr_failed"}
    assert {pk for _, pk in heard} == {str(report.pk)}
    # Once where nobody had begun to send them; again where it is not known how far the dead process came.
    assert max(heard.values()) == (1 if step in STEPS[:2] else 2)


def test_the_claims_of_a_killed_poller_run_out_and_are_taken_again(
    database: str, messente_sandbox: Sandbox, tmp_path: Path
) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(minutes=1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        web = Web(tmp_path, database, messente=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "django", "poll_dlrs"]
        with subprocess.Popen(command, cwd=ROOT, env=web.environment, stderr=subprocess.DEVNULL) as poller:
            question, _ = silent.accept()  # it has claimed the message, and asks
            with question:
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


def test_a_sweep_that_is_killed_is_done_by_the_next(database: str, tmp_path: Path) -> None:
    message = SmsMessageFactory.create()
    past = timezone.now() - timedelta(minutes=1)
    told: dict[str, Any] = {"account": "default", "source": "callback", "received_at": past, "outcome": "advanced"}
    report = DeliveryReport.objects.create(
        **told,
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
    assert web.heard() == {("dlr_received", str(report.pk)): 1, ("dlr_status_changed", str(report.pk)): 1}
    web.manage("poll_dlrs")
    assert ("dlr_delivered", str(report.pk)) not in web.heard()  # the dead sweep's claim still holds
    DeliveryReport.objects.update(dispatch_due_at=past)
    web.manage("poll_dlrs")
    web.close()
    assert web.heard()["dlr_delivered", str(report.pk)] == 1
    assert not DeliveryReport.objects.undispatched().exists()


def test_gunicorn_goes_on_with_a_new_worker(database: str, tmp_path: Path) -> None:
    with Web(tmp_path, database, workers=1) as web:
        first = web.workers
        web.kill_a_worker()
        wait_until(lambda: bool(web.workers) and web.workers != first)
        assert len(web.workers) == 1
