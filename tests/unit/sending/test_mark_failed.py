"""`mark_failed`: another client did not send a message of `prepare_sms`."""

from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sending import mark_failed, mark_sent, prepare_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.sending.answers import NUMBER

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = ["dlr_received", "dlr_status_changed", "dlr_failed"]


@pytest.mark.parametrize("temporary", [False, True])
def test_mark_failed__records_the_reason(dlr_signals: SignalLog, *, temporary: bool) -> None:
    message = prepare_sms(NUMBER)
    assert mark_failed(message, f"422: {NUMBER} is\nblocked", temporary=temporary) is message
    row = SmsMessage.objects.get()
    assert (message.status, row.status, row.err) == ("failed", "failed", None)
    assert row.error_text == r"422: +372•••••000 is\nblocked"
    assert (row.send_at, row.sent_at) == (None, None)
    report = DeliveryReport.objects.get()
    assert (report.source, report.payload) == ("send", {"answer": row.error_text, "temporary": temporary})
    assert dlr_signals.names == FAILED
    assert dlr_signals.arguments("dlr_failed")["temporary"] is temporary
    assert not PendingPoll.objects.exists()


def test_mark_failed__twice(dlr_signals: SignalLog) -> None:
    message = prepare_sms(NUMBER)
    for _ in range(2):
        mark_failed(message, "Refused.")
    assert DeliveryReport.objects.get().times_received == 2
    assert dlr_signals.names == FAILED


@pytest.mark.parametrize("ids", [["an-id", ""], ["", "an-id"]])
def test_mark_failed__message_with_an_id(ids: list[str], dlr_signals: SignalLog) -> None:
    message = prepare_sms(NUMBER)
    mark_sent(SmsMessage.objects.get(), ids[0], omnimessage_id=ids[1])
    with pytest.raises(ValueError, match=rf"Message {message.pk} was already sent with the id an-id"):
        mark_failed(message, "Refused.")
    assert SmsMessage.objects.get().status == "sent"
    assert dlr_signals.names == []


def test_mark_failed__delivery_corrects_it(dlr_signals: SignalLog) -> None:
    message = mark_failed(prepare_sms(NUMBER), "No answer.")
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 200
    row = SmsMessage.objects.get()
    assert (row.status, row.error_text) == ("delivered", "")
    assert dlr_signals.names.count("dlr_delivered") == 1


@pytest.mark.parametrize(
    ("reason", "error", "text"),
    [
        ("", ValueError, "The reason is empty"),
        (" \n", ValueError, "The reason is empty"),
        ("\0", ValueError, "reason contains a NUL character"),
        ("\ud83d", ValueError, "reason contains half a character"),
        (None, TypeError, "reason must be a text"),
        (ValueError("no"), TypeError, "reason must be a text"),
    ],
)
def test_mark_failed__invalid_reason(reason: Any, error: type[Exception], text: str) -> None:
    message = prepare_sms(NUMBER)
    with pytest.raises(error, match=text):
        mark_failed(message, reason)
    assert SmsMessage.objects.get().status == "queued"


def test_mark_failed__long_reason_is_cut() -> None:
    message = mark_failed(prepare_sms(NUMBER), "x" * 1000)
    assert message.error_text == "x" * 250 + "…"


def test_mark_failed__deleted_message() -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.all().delete()
    with pytest.raises(SmsMessage.DoesNotExist):
        mark_failed(message, "Refused.")
