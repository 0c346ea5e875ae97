"""`send_sms`, `prepare_sms`, `mark_sent` and `track_sms`: the row, the request, and the recorded error."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from urllib3.exceptions import ProtocolError

from django_messente_dlr.exceptions import CreditsExhausted, MessageNotSent, SendInsideTransaction
from django_messente_dlr.messente.errors import (
    ConnectionFailed,
    CredentialsRefused,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailure,
    UnreadableResponse,
)
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import mark_sent, prepare_sms, send_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils.poll_schedule import first_poll_at
from tests.isolation import close_connection

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
URL = "http://127.0.0.1:9/send_sms/"
FAILURE_SIGNALS = ["dlr_received", "dlr_status_changed", "dlr_failed"]


@pytest.fixture
def mocked_responses() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_send_sms__commits_row_before_request(
    mocked_responses: responses.RequestsMock,
) -> None:
    states: list[str] = []

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        # The request is made in a thread with its own connection, which sees committed rows only.
        row = SmsMessage.objects.get()
        close_connection()
        body = parse_qs(str(request.body))
        states.append(row.status)
        assert body["dlr-url"][0] == row.callback_url
        assert (body["to"], body["text"], body["from"]) == (["+37255500000"], ["Hello"], ["Shop"])
        return 200, {}, "OK an-id"

    mocked_responses.add_callback("POST", URL, respond)
    message = send_sms("+372 (555) 000-00", "Hello", sender="Shop", metadata={"order": 17}, validity=60)
    assert states == ["queued"]
    assert (message.status, message.sms_unique_id, message.metadata) == ("sent", "an-id", {"order": 17})
    assert message.sent_at is not None
    assert message.next_poll_at is not None


def test_send_at__sets_sent_at_and_first_poll(mocked_responses: responses.RequestsMock) -> None:
    mocked_responses.post(URL, "OK an-id")
    at = timezone.now().replace(microsecond=0) + timedelta(hours=72)
    message = send_sms(NUMBER, "Hello", send_at=at)
    assert message.sent_at == at
    assert message.next_poll_at == first_poll_at(at)


def test_send_sms__id_of_other_message_is_outcome_unknown(mocked_responses: responses.RequestsMock) -> None:
    track_sms("an-id")
    mocked_responses.post(URL, "OK an-id")
    with pytest.raises(OutcomeUnknown, match="already belongs to another message") as raised:
        send_sms(NUMBER, "Hello")
    assert raised.value.sms_message.status == "queued"
    assert SmsMessage.objects.filter(recipient=NUMBER).get() == raised.value.sms_message


def test_send_sms__without_base_url_polls_sooner(mocked_responses: responses.RequestsMock, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": ""}
    mocked_responses.post(URL, "OK an-id")
    message = send_sms(NUMBER, "Hello")
    assert "dlr-url" not in str(mocked_responses.calls[0].request.body)
    assert message.next_poll_at is not None
    assert message.sent_at is not None
    assert (message.next_poll_at - message.sent_at).total_seconds() == 30


@pytest.mark.parametrize(("store", "stored"), [(True, "Hello"), (False, "")])
def test_store_text__decides_about_text(
    mocked_responses: responses.RequestsMock, settings: Any, stored: str, *, store: bool
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": store}
    mocked_responses.post(URL, "OK an-id")
    send_sms(NUMBER, "Hello")
    assert SmsMessage.objects.get().text == stored


@pytest.mark.parametrize(
    ("response", "error", "status"),
    [
        ({"body": "ERROR 101"}, CredentialsRefused, "rejected"),
        ({"body": "ERROR 111"}, RequestRefused, "rejected"),
        ({"body": "ERROR 107"}, RequestRefused, "rejected"),
        ({"body": "FAILED 209"}, ServerFailure, "failed"),
        ({"body": requests.ConnectionError(ProtocolError("reset"))}, OutcomeUnknown, "queued"),
        ({"body": requests.ReadTimeout()}, OutcomeUnknown, "queued"),
        ({"status": 500}, OutcomeUnknown, "queued"),
        ({"body": "<html>"}, OutcomeUnknown, "queued"),
        ({"status": 302}, OutcomeUnknown, "queued"),
        ({"status": 403}, UnreadableResponse, "rejected"),
        ({"status": 429}, RateLimited, "failed"),
    ],
)
def test_send_sms__error_has_message_and_status(
    response: dict[str, Any],
    error: type[Exception],
    status: str,
    dlr_signals: SignalLog,
    mocked_responses: responses.RequestsMock,
) -> None:
    mocked_responses.post(URL, **response)
    with pytest.raises((MessageNotSent, OutcomeUnknown)) as raised:
        send_sms(NUMBER, "Hello")
    message = SmsMessage.objects.get()
    if isinstance(raised.value, MessageNotSent):
        assert isinstance(raised.value.__cause__, error)
        assert raised.value.temporary is (status == "failed")
    else:
        assert type(raised.value) is error
        assert status == "queued"
    assert getattr(raised.value, "sms_message", None) == message
    assert message.status == status
    cause_signals = ["sender_not_allowed"] if response.get("body") == "ERROR 111" else []
    assert dlr_signals.names == ([] if status == "queued" else [*FAILURE_SIGNALS, *cause_signals])
    assert "a-password" not in f"{raised.value!r}{message.error_text}"
    if status != "queued":
        assert message.error_text
        assert message.reports.get().source == "send"


def test_send_sms__unreachable_host_is_failed() -> None:
    with pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Hello")
    assert isinstance(raised.value.__cause__, ConnectionFailed)
    assert raised.value.temporary
    assert SmsMessage.objects.get().status == "failed"


def test_send_sms__report_decides_after_timeout(mocked_responses: responses.RequestsMock) -> None:
    mocked_responses.post(URL, body=requests.ReadTimeout())
    with pytest.raises(OutcomeUnknown) as raised:
        send_sms(NUMBER, "Hello")
    message = raised.value.sms_message
    assert len(mocked_responses.calls) == 1  # a request to the backup host could send the message twice
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 200
    message.refresh_from_db()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")


def test_send_sms__delivery_corrects_rejection(mocked_responses: responses.RequestsMock) -> None:
    mocked_responses.post(URL, "ERROR 111")
    with pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Hello")
    message = raised.value.sms_message
    assert message is not None
    simulate_callback(message, sms_unique_id="an-id")
    assert SmsMessage.objects.get().status == "delivered"


def test_send_sms__inside_transaction_sends_nothing() -> None:
    with pytest.raises(SendInsideTransaction, match=r"transaction.on_commit"), transaction.atomic():
        send_sms(NUMBER, "Hello")
    assert not SmsMessage.objects.exists()


def test_send_sms__on_commit_sends(messente_sandbox: Sandbox) -> None:
    with transaction.atomic():
        transaction.on_commit(lambda: send_sms(NUMBER, "Hello"))
    assert len(messente_sandbox.messages) == 1


def test_send_sms__account_on_hold_sends_nothing() -> None:
    AccountFactory.create(held=True)
    with pytest.raises(CreditsExhausted, match="out of credits"):
        send_sms(NUMBER, "Hello")
    assert not SmsMessage.objects.exists()


def test_send_sms__hold_of_other_account_is_ignored(messente_sandbox: Sandbox) -> None:
    AccountFactory.create(held=True)
    assert send_sms(NUMBER, "Hello", account="marketing").account == "marketing"


def test_send_sms__hold_disabled_sends(messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "HOLD_ON_CREDITS_EXHAUSTED": False}
    AccountFactory.create(held=True)
    assert send_sms(NUMBER, "Hello").status == "sent"


@pytest.mark.parametrize(
    ("to", "text", "arguments", "error"),
    [
        ("", "Hello", {}, "not a phone number"),
        ("no number", "Hello", {}, "not a phone number"),
        ("+٣٧٢٥٥٥٠٠٠٠٠", "Hello", {}, "not a phone number"),
        ("+372", "Hello", {}, "not a phone number"),
        (None, "Hello", {}, '"None" is not a phone number'),
        (NUMBER, "", {}, "text is empty"),
        (NUMBER, "Tere \ud83d", {}, "half a character .* at index 5"),
        (NUMBER, "Hello", {"sender": "x" * 33}, "longer than 32"),
    ],
)
def test_send_sms__invalid_input_stores_nothing(to: Any, text: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        send_sms(to, text, **arguments)
    assert not SmsMessage.objects.exists()


def test_account__not_configured_raises() -> None:
    for function in (partial(send_sms, NUMBER, "Hello"), partial(prepare_sms, NUMBER), partial(track_sms, "an-id")):
        with pytest.raises(ImproperlyConfigured, match="has no account 'a'"):
            function(account="a")


def test_mark_sent__stores_id_and_is_idempotent() -> None:
    message = prepare_sms(NUMBER, sender="Shop", metadata={"order": 1})
    assert (message.status, message.sms_unique_id) == ("queued", None)
    assert message.callback_url.startswith("https://shop.example.com/messente/dlr/m")
    mark_sent(message, "an-id")
    assert (message.status, message.sms_unique_id) == ("sent", "an-id")
    mark_sent(message, "an-id")
    assert message.status == "sent"


def test_mark_sent__changes_no_other_message() -> None:
    other = prepare_sms(NUMBER)
    before = SmsMessage.objects.filter(pk=other.pk).values("pending__due_at").get()
    mark_sent(prepare_sms(NUMBER), "an-id", sent_at=timezone.now() + timedelta(days=1))
    other.refresh_from_db()
    assert (other.status, other.sms_unique_id, other.sent_at) == ("queued", None, None)
    assert SmsMessage.objects.filter(pk=other.pk).values("pending__due_at").get() == before


def test_mark_sent__later_sent_report_changes_nothing(dlr_signals: SignalLog) -> None:
    message = mark_sent(prepare_sms(NUMBER), "an-id")
    simulate_callback(message, "ACCEPTD")
    assert dlr_signals.names == ["dlr_received"]


def test_mark_sent__keeps_status_of_report() -> None:
    message = prepare_sms(NUMBER)
    simulate_callback(message, sms_unique_id="an-id")
    assert mark_sent(message, "an-id").status == "delivered"
    assert message.next_poll_at is None


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (("",), "Neither"),
        ((" \n",), "Neither"),
        (("x" * 129,), "longer than 128"),
        (("OK\nan-id",), "characters that are not printable"),
        (("taken",), "already belongs to another message"),
        (("taken\n",), "already belongs to another message"),
    ],
)
def test_mark_sent__invalid_id_raises(ids: tuple[str, ...], error: str) -> None:
    SmsMessageFactory.create(sms_unique_id="taken")
    message = prepare_sms(NUMBER)
    with pytest.raises(ValueError, match=error):
        mark_sent(message, *ids)
    message.refresh_from_db()
    assert message.status == "queued"


def test_ids__surrounding_whitespace_is_removed() -> None:
    prepared = mark_sent(prepare_sms(NUMBER), " an-id\r\n")
    assert prepared.sms_unique_id == "an-id"
    assert simulate_callback(prepared, sms_unique_id="an-id").status_code == 200
    assert track_sms("an-id\n") == track_sms("an-id") == prepared
    omnimessage = track_sms(omnimessage_id="an-omni-id ")
    assert (omnimessage.omnimessage_id, track_sms(omnimessage_id="an-omni-id")) == ("an-omni-id", omnimessage)


def test_track_sms__twice_returns_same_message() -> None:
    first = track_sms("an-id", recipient=NUMBER, sent_at=timezone.now())
    assert track_sms("an-id") == first
    assert track_sms(omnimessage_id="an-omni-id") == track_sms(omnimessage_id="an-omni-id")
    assert SmsMessage.objects.count() == 2
    with pytest.raises(ValueError, match='account "default"'):
        track_sms("an-id", account="marketing")


def test_send_sms__sandbox_receives_message(messente_sandbox: Sandbox) -> None:
    """The sandbox's callbacks fail, because the site is not reachable. The message is stored with its id."""
    message = send_sms("+37255500143", "Hello")
    assert message.sms_unique_id == messente_sandbox.messages[0].message_id
    assert not DeliveryReport.objects.exists()


@pytest.mark.parametrize(
    ("to", "error"),
    [
        (37255500000.0, "37255500000.0 is not a phone number but a float"),
        (Decimal("37255500000.0"), "but a Decimal"),
        (Decimal(37255500000), "but a Decimal"),
        (b"+37255500000", "but a bytes"),
        (True, "but a bool"),
        ("37255500000.0", "is a number with a fraction"),
        ("+37255500000.00", "is a number with a fraction"),
        ("37255500000,0", "is a number with a fraction"),
        ("+44 (0)20 7946 0000", 'contains "\\(0\\)"'),
        ("+44 ( 0 ) 20 7946 0000", 'contains "\\(0\\)"'),
    ],
)
def test_recipient__that_could_be_another_number_is_refused(to: Any, error: str) -> None:
    for function in (
        partial(send_sms, to, "Hello"),
        partial(prepare_sms, to),
        partial(track_sms, "an-id", recipient=to),
    ):
        with pytest.raises(ValueError, match=error):
            function()
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize(
    "to", ["+372 555-00 000", "+372.555.00000", "(+372) 55500000", 37255500000, " +37255500000 "]
)
def test_recipient__separators_are_removed(to: Any) -> None:
    assert prepare_sms(to).recipient.removeprefix("+") == "37255500000"
