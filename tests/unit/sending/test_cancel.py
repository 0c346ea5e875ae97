"""`cancel`: what each answer of Messente means, which messages are not cancelled, and reports at the same time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from django_messente_dlr.exceptions import CancelRefused, SendInsideTransaction, UnknownMessage
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import Sms, Viber, cancel, prepare_sms, send_message, send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import close_connection
from tests.unit.messente.answering import no_answer_in_time, no_connection
from tests.unit.sending.answers import NUMBER, OMNICHANNEL_URL

pytestmark = pytest.mark.django_db(transaction=True)
CANCEL_SMS = "http://127.0.0.1:9/cancel_sms/"
CANCEL_OMNIMESSAGE = f"{OMNICHANNEL_URL}/an-omni-id"
CANCELLED = ["dlr_received", "dlr_status_changed", "dlr_cancelled"]


def scheduled(api: str, **attributes: Any) -> SmsMessage:
    """Create a message that Messente is to send tomorrow."""
    ids = {"sms_unique_id": "an-id", "omnimessage_id": "" if api == "sms" else "an-omni-id"}
    values = {**ids, "send_at": timezone.now() + timedelta(days=1), **attributes}
    message: SmsMessage = SmsMessageFactory.create(**values)
    return message


def answer(
    mock: responses.RequestsMock,
    api: str,
    by_sms: dict[str, Any] | None = None,
    by_omnichannel: dict[str, Any] | None = None,
) -> None:
    """Prepare the answer to a request to cancel the message of `scheduled`; by default it is cancelled."""
    if api == "sms":
        mock.post(CANCEL_SMS, **(by_sms or {"body": "OK DELETED"}))
    else:
        mock.delete(CANCEL_OMNIMESSAGE, **(by_omnichannel or {"json": {}, "status": 202}))


def test_cancel__confirmed(api: str, fake_messente: responses.RequestsMock, dlr_signals: SignalLog) -> None:
    message = scheduled(api)
    answer(fake_messente, api)
    assert cancel(message) is message
    row = SmsMessage.objects.cancelled().get()
    assert (message.status, row.status, row.rank) == ("cancelled", "cancelled", 45)
    assert row.finalised_at is not None
    assert (row.err, row.error_text, row.cause) == (None, "", None)
    assert not PendingPoll.objects.exists()
    report = DeliveryReport.objects.get()
    assert (report.source, report.status, report.previous) == ("cancel", "cancelled", "sent")
    assert dlr_signals.names == CANCELLED
    assert dlr_signals.arguments("dlr_status_changed")["previous"] == "sent"
    assert dlr_signals.arguments("dlr_cancelled")["message"] == message


ANSWERS: list[tuple[dict[str, Any], dict[str, Any], type[Exception]]] = [
    ({"body": "ERROR 107"}, {"status": 404}, UnknownMessage),
    ({"body": "ERROR 101"}, {"status": 401}, CancelRefused),
    ({"body": "FAILED 209"}, {"status": 503}, CancelRefused),
    ({"body": f"Too late for {NUMBER}"}, {"status": 409, "body": f"Too late for {NUMBER}"}, CancelRefused),
    ({"body": no_answer_in_time()}, {"body": no_answer_in_time()}, CancelRefused),
    ({"body": no_connection()}, {"body": no_connection()}, CancelRefused),
    ({"status": 302}, {"status": 200, "json": {}}, CancelRefused),
]


@pytest.mark.parametrize("case", ANSWERS)
def test_cancel__any_other_answer_changes_nothing(
    api: str,
    case: tuple[dict[str, Any], dict[str, Any], type[Exception]],
    fake_messente: responses.RequestsMock,
    dlr_signals: SignalLog,
) -> None:
    by_sms, by_omnichannel, error = case
    message = scheduled(api)
    due_at = message.next_poll_at
    answer(fake_messente, api, by_sms, by_omnichannel)
    with pytest.raises((CancelRefused, UnknownMessage)) as raised:
        cancel(message)
    assert type(raised.value) is error
    assert NUMBER not in str(raised.value)
    message.refresh_from_db()
    assert (message.status, message.next_poll_at) == ("sent", due_at)
    assert not DeliveryReport.objects.exists()
    assert dlr_signals.names == []


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        *(
            ({"status": status}, f"is final, so it cannot be cancelled: its status is {status}")
            for status in ("failed", "rejected", "cancelled", "delivered", "seen")
        ),
        ({"prepared": True, "sms_unique_id": None, "omnimessage_id": ""}, "is not sent yet, so there is nothing"),
        ({"queued": True, "sms_unique_id": None, "omnimessage_id": ""}, "the outcome of sending it is unknown"),
        ({"account": "gone"}, r'The account "gone" of message \d+ is not configured\. Add it to MESSENTE_DLR'),
    ],
)
def test_cancel__message_that_cannot_be_cancelled(
    attributes: dict[str, Any], text: str, fake_messente: responses.RequestsMock
) -> None:
    values = {"send_at": None} if "prepared" in attributes else {}
    message = scheduled("sms", **attributes, **values)
    with pytest.raises(ValueError, match=text):
        cancel(message)
    assert len(fake_messente.calls) == 0
    assert not DeliveryReport.objects.exists()


def test_cancel__reads_the_row_again(fake_messente: responses.RequestsMock) -> None:
    message = scheduled("sms")
    simulate_callback(message)
    with pytest.raises(ValueError, match="its status is delivered"):
        cancel(message)
    assert message.status == "delivered"


def test_cancel__unresolved_message(api: str, fake_messente: responses.RequestsMock) -> None:
    message = scheduled(api, status="unresolved", error_text="Messente reported no final status within 48 hours.")
    answer(fake_messente, api)
    cancel(message)
    assert (message.status, message.error_text) == ("cancelled", "")


def test_cancel__deleted_message(fake_messente: responses.RequestsMock) -> None:
    message = scheduled("sms")
    SmsMessage.objects.all().delete()
    with pytest.raises(SmsMessage.DoesNotExist):
        cancel(message)


def test_cancel__inside_a_transaction(fake_messente: responses.RequestsMock) -> None:
    message = scheduled("sms")
    with transaction.atomic(), pytest.raises(SendInsideTransaction, match="cancel was called inside a transaction"):
        cancel(message)
    assert len(fake_messente.calls) == 0


def respond_after(api: str, mock: responses.RequestsMock, action: Callable[[], object]) -> None:
    """Prepare the confirmation of a cancellation, before which something else happens outside a transaction."""

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert not connection.in_atomic_block
        action()
        close_connection()
        return (200, {}, "OK DELETED") if api == "sms" else (202, {}, "{}")

    method, url = ("POST", CANCEL_SMS) if api == "sms" else ("DELETE", CANCEL_OMNIMESSAGE)
    mock.add_callback(method, url, respond)


@pytest.mark.parametrize(
    ("report", "status"),
    [(("DELIVRD", "0"), "delivered"), (("SEEN", "10"), "seen"), (("UNDELIV", "1"), "cancelled")],
)
def test_cancel__report_during_the_request(
    api: str, report: tuple[str, str], status: str, fake_messente: responses.RequestsMock, dlr_signals: SignalLog
) -> None:
    message = scheduled(api)
    respond_after(api, fake_messente, lambda: simulate_callback(message, *report))
    assert cancel(message).status == status
    assert SmsMessage.objects.get().status == status
    assert dlr_signals.names.count("dlr_cancelled") == (1 if status == "cancelled" else 0)
    assert DeliveryReport.objects.count() == 2


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (("ACCEPTD", ""), "cancelled"),
        (("UNDELIV", "1"), "cancelled"),
        (("REJECTD", "7"), "cancelled"),
        (("DELIVRD", "0"), "delivered"),
        (("SEEN", "10"), "seen"),
    ],
)
def test_cancel__later_report(
    api: str, report: tuple[str, str], status: str, fake_messente: responses.RequestsMock, dlr_signals: SignalLog
) -> None:
    message = scheduled(api)
    answer(fake_messente, api)
    cancel(message)
    dlr_signals.clear()
    assert simulate_callback(message, *report).status_code == 200
    assert SmsMessage.objects.get().status == status
    assert "dlr_failed" not in dlr_signals.names
    assert ("dlr_delivered" in dlr_signals.names) is (status != "cancelled")


def test_cancel__database_away_after_the_answer(
    fake_messente: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    message = scheduled("sms")
    is_away: list[bool] = []
    respond_after("sms", fake_messente, lambda: is_away.append(True))

    def execute_or_fail(execute: Any, *arguments: Any) -> Any:
        if is_away:
            raise OperationalError("gone")
        return execute(*arguments)

    with connection.execute_wrapper(execute_or_fail), pytest.raises(OperationalError):
        cancel(message)
    assert f"Message {message.pk} was cancelled, but this could not be stored." in caplog.text
    assert SmsMessage.objects.get().status == "sent"


@pytest.mark.parametrize("several", [False, True])
def test_cancel__at_the_sandbox(
    api: str, messente_sandbox: Sandbox, dlr_signals: SignalLog, *, several: bool
) -> None:
    send_at = timezone.now() + timedelta(days=1)
    if several:
        message = send_message(NUMBER, [Viber("Tere", sender="Shop"), Sms("Tere")], send_at=send_at)
    else:
        message = send_sms(NUMBER, "Tere", send_at=send_at)
    assert (message.next_poll_at or send_at) > send_at
    assert cancel(message).status == "cancelled"
    with pytest.raises(ValueError, match="its status is cancelled"):
        cancel(message)
    assert dlr_signals.names == CANCELLED


def test_cancel__sent_at_the_sandbox(api: str, messente_sandbox: Sandbox) -> None:
    message = send_sms("+37255500102", "Tere")
    messente_sandbox.wait_until_idle(10)
    with pytest.raises(CancelRefused, match="too late"):
        cancel(message)
    assert SmsMessage.objects.get().status == "sent"


def test_prepare_sms__then_sent_by_another_client(fake_messente: responses.RequestsMock) -> None:
    message = prepare_sms(NUMBER)
    simulate_callback(message, "ACCEPTD", sms_unique_id="an-id")
    answer(fake_messente, "sms")
    assert cancel(message).status == "cancelled"
