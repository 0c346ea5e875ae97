"""The setting ``RESEND`` with web processes that receive the sandbox's callbacks, and SIGKILL at every step."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, QueuedMessage, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from tests.integration.processes.web import Web, wait_until

STEPS = ["between commit and dispatch", "in the commit of the resend", "before marking as dispatched"]
RECIPIENT = "+37255500100"
PAST = timedelta(minutes=1)


def serve(folder: Path, database: str, sandbox: Sandbox, settings: Any, *, die_at: str = "") -> Web:
    """Return web processes that send failed messages again, and let this process send with their callback URLs."""
    web = Web(folder, database, messente=sandbox.url, send_api="omnichannel", workers=2, die_at=die_at)
    web.environment["DLR_RESEND"] = json.dumps({"attempts": 3, "backoff": [60]})
    ours = {"CALLBACK_BASE_URL": web.url, "SEND_API": "omnichannel", "STORE_TEXT": True}
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **ours}
    return web


def send_due(web: Web) -> None:
    """Send what waits as if its time had come, with two workers."""
    QueuedMessage.objects.update(due_at=timezone.now() - PAST)
    web.manage("send_queued", "--concurrency=2")


def wait_for_signals(sandbox: Sandbox) -> None:
    assert sandbox.wait_until_idle(60)
    wait_until(lambda: not DeliveryReport.objects.undispatched().exists())


def test_resend_policy__999_999_0(database: str, messente_sandbox: Sandbox, settings: Any, tmp_path: Path) -> None:
    with serve(tmp_path, database, messente_sandbox, settings) as web:
        messente_sandbox.channel_scenarios = {"sms": "999"}
        first = send_sms(RECIPIENT, "A parcel", reference="order-17")
        wait_for_signals(messente_sandbox)
        send_due(web)
        wait_for_signals(messente_sandbox)
        messente_sandbox.channel_scenarios = {"sms": "000"}
        send_due(web)
        wait_for_signals(messente_sandbox)
        send_due(web)
    chain = list(SmsMessage.objects.order_by("pk"))
    assert [(row.status, row.attempt) for row in chain] == [("failed", None), ("failed", 1), ("delivered", 2)]
    assert [row.resend_of_id for row in chain] == [None, first.pk, chain[1].pk]
    assert {row.reference for row in chain} == {"order-17"}
    assert len(messente_sandbox.messages) == 3
    names = [name for name, _report in web.count_signals().elements()]
    assert (names.count("dlr_failed"), names.count("dlr_delivered")) == (2, 1)


@pytest.mark.parametrize("step", STEPS)
def test_resend_policy__killed_process_resends_once(
    database: str, messente_sandbox: Sandbox, settings: Any, tmp_path: Path, *, step: str
) -> None:
    messente_sandbox.channel_scenarios = {"sms": "999"}
    with serve(tmp_path, database, messente_sandbox, settings, die_at=step) as web:
        first = send_sms(RECIPIENT, "A parcel")
        assert messente_sandbox.wait_until_idle(60)
        assert not messente_sandbox.callbacks[0].ok  # the process died without a response
        wait_until(lambda: DeliveryReport.objects.undispatched().count() == 1)
        # Simulate the end of the dead process's dispatch lease.
        DeliveryReport.objects.undispatched().update(dispatch_due_at=timezone.now() - PAST)
        web.manage("dispatch_dlrs")
    second = SmsMessage.objects.exclude(pk=first.pk).get()
    assert (second.resend_of, second.attempt, second.status) == (first, 1, "queued")
    assert QueuedMessage.objects.get().pk == second.pk
    assert not DeliveryReport.objects.undispatched().exists()
    times = [count for (name, _report), count in web.count_signals().items() if name == "dlr_failed"]
    assert times == [2 if step == STEPS[2] else 1]
