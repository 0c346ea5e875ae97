"""Whatever a receiver does: the callback is answered 200, the status is correct, and other receivers are called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from django_messente_dlr import signals
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = ["dlr_received", "dlr_status_changed", "dlr_failed"]


def raises(**kwargs: Any) -> None:
    raise LookupError("no such order")


def breaks_its_transaction(*, message: SmsMessage, **kwargs: Any) -> None:
    with transaction.atomic():
        SmsMessage.objects.filter(pk=message.pk).update(metadata={"half": "done"})
        raise LookupError("no such order")


def breaks_the_database(**kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


@pytest.mark.parametrize("receiver", [raises, breaks_its_transaction, breaks_the_database])
def test_failing_receiver__does_not_stop_the_others(
    receiver: Callable[..., None], dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture
) -> None:
    message = SmsMessageFactory.create()
    signals.dlr_received.connect(receiver)
    signals.dlr_failed.connect(receiver)
    assert simulate_callback(message, "UNDELIV", 1).status_code == 200
    message.refresh_from_db()
    report = DeliveryReport.objects.get()
    assert (message.status, message.metadata) == ("failed", {})
    assert report.dispatch_error.count(receiver.__name__) == 2
    assert report.dispatch_due_at is None
    assert dlr_signals.names == FAILED
    assert "Traceback" in caplog.text


def test_failing_receiver__is_one_line_in_the_report() -> None:
    def quotes(*, message: SmsMessage, **kwargs: Any) -> None:
        raise ValueError("the order has no parcel\nshop.receivers.other: ValueError: forged\x1b[2J" + "x" * 5000)

    message = SmsMessageFactory.create()
    signals.dlr_received.connect(quotes)
    signals.dlr_failed.connect(quotes)
    simulate_callback(message, "UNDELIV", 1)
    lines = DeliveryReport.objects.get().dispatch_error.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() and "no parcel" in line and len(line) < 2000 for line in lines)


def test_receiver__commits_its_own_transaction() -> None:
    message = SmsMessageFactory.create()
    committed = []

    def writes(*, message: SmsMessage, **kwargs: Any) -> None:
        assert not connection.in_atomic_block
        with transaction.atomic(durable=True):
            SmsMessage.objects.filter(pk=message.pk).update(metadata={"status": message.status})
            transaction.on_commit(lambda: committed.append(True))

    signals.dlr_failed.connect(writes)
    assert simulate_callback(message, "UNDELIV", 1).status_code == 200
    message.refresh_from_db()
    assert (message.metadata, committed) == ({"status": "failed"}, [True])


def test_receiver__can_send_another_sms(messente_sandbox: Sandbox) -> None:
    # The sandbox accepts this number. For a number that it rejects, `sends` would be called for its own message.
    message = SmsMessageFactory.create(recipient="+37255500000")
    sent_messages = []

    def sends(*, message: SmsMessage, **kwargs: Any) -> None:
        sent_messages.append(send_sms(message.recipient, "Once more", metadata={"again": message.pk}))

    signals.dlr_failed.connect(sends)
    assert simulate_callback(message, "UNDELIV", 999).status_code == 200
    assert [sent.metadata for sent in sent_messages] == [{"again": message.pk}]
    assert [sent.message_id for sent in messente_sandbox.messages] == [sent_messages[0].sms_unique_id]
    assert DeliveryReport.objects.get().dispatch_error == ""


def test_slow_receiver__blocks_no_other_report(dlr_signals: SignalLog) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("a second thread has no independent connection to an in-memory database")
    message = SmsMessageFactory.create()
    status_codes = []

    def is_slow(*, report: DeliveryReport, **kwargs: Any) -> None:
        if report.stat != "UNDELIV":
            return

        def another() -> None:
            status_codes.append(simulate_callback(message, "DELIVRD").status_code)
            connection.close()

        other = threading.Thread(target=another, daemon=True)
        other.start()
        other.join(60)  # until the other report about the same message is answered

    signals.dlr_received.connect(is_slow)
    assert simulate_callback(message, "UNDELIV", 1).status_code == 200
    message.refresh_from_db()
    assert status_codes == [200]
    assert message.status == "delivered"
    assert dlr_signals.names.count("dlr_delivered") == 1
    # The message was delivered before the signals of its failure were sent.
    assert dlr_signals.names.count("dlr_failed") == 0
