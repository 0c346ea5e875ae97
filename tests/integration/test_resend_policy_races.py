"""The setting ``RESEND`` with two processes at the same time, at each isolation level that a project may have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.models import DeliveryReport, QueuedMessage, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import resend_policy, resending
from django_messente_dlr.sending.queue import drafts
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import close_connection, run_on_other_connection
from tests.locking import GENEROUS, wait_until_lock_wait

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("level")]


@pytest.fixture
def message(settings: Any, messente_sandbox: Sandbox) -> SmsMessage:
    values = {"DISPATCH": "deferred", "STORE_TEXT": True, "RESEND": {"attempts": 3, "backoff": [60]}}
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}
    message: SmsMessage = SmsMessageFactory.create(recipient="+37255500100", text="Tere")
    return message


def new_message(message: SmsMessage) -> SmsMessage:
    return SmsMessage.objects.exclude(pk=message.pk).get()


def test_dispatch__two_workers_resend_once(
    message: SmsMessage, dlr_signals: SignalLog, messente_sandbox: Sandbox
) -> None:
    """The lease of the first worker has ended while its receivers were running, so both dispatch the report."""
    simulate_callback(message, "FAILED", 999)
    report = DeliveryReport.objects.get()
    both, waited = threading.Barrier(2), threading.local()

    def claim_together(failed: SmsMessage) -> datetime:
        if not hasattr(waited, "done"):  # the claim is repeated after a conflict
            waited.done = True
            both.wait(GENEROUS)
        return claim(failed)

    def work() -> None:
        try:
            dispatch.dispatch_report(report.pk)
        finally:
            close_connection()

    claim, name = resending.claim_resend, "django_messente_dlr.sending.resend_policy.claim_resend"
    with mock.patch(name, claim_together), ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(work) for _worker in range(2)]:
            future.result(GENEROUS)
    assert (new_message(message).resend_of, new_message(message).attempt) == (message, 1)
    failures = [arguments["will_resend"] for name, arguments in dlr_signals if name == "dlr_failed"]
    assert failures == [True, True]
    QueuedMessage.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    QueueWorker().run()
    assert len(messente_sandbox.messages) == 1


@pytest.mark.parametrize("is_undone", [False, True])
def test_delivery__during_the_resend(
    message: SmsMessage, messente_sandbox: Sandbox, settings: Any, *, is_undone: bool
) -> None:
    """A report delivers the message while another process sends it again."""
    simulate_callback(message, "FAILED", 999)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DISPATCH": "inline"}
    failed = SmsMessage.objects.get()

    def deliver() -> None:
        try:
            assert simulate_callback(failed).status_code == 200
        finally:
            close_connection()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            resending.claim_resend(failed)
            row = SmsMessage(recipient=failed.recipient, text="Tere", resend_of=failed, attempt=1)
            row.send_at = timezone.now()
            queued = QueuedMessage(account=row.account, due_at=timezone.now())
            drafts.insert(drafts.Draft(message=row, queued=queued), using="default")
            future = pool.submit(deliver)
            wait_until_lock_wait()
            transaction.set_rollback(is_undone)
        future.result(GENEROUS)
    QueueWorker().run()
    statuses = [row.status for row in SmsMessage.objects.order_by("pk")]
    assert statuses == (["delivered"] if is_undone else ["delivered", "cancelled"])
    assert messente_sandbox.messages == ()


def test_resend__after_a_delivery(message: SmsMessage) -> None:
    """The delivery is recorded after this process has read the message that failed."""
    simulate_callback(message, "FAILED", 999)
    failed = SmsMessage.objects.get()
    run_on_other_connection(lambda: simulate_callback(failed))
    assert resend_policy.resend_once(failed) is False
    assert SmsMessage.objects.get().status == "delivered"
