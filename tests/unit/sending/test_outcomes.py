"""What each answer of Messente means on each API: the exception, the row and the signals. No request is repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
import responses
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from django_messente_dlr.exceptions import (
    CreditsExhausted,
    MessageNotSent,
    OutcomeUnknown,
    SendInsideTransaction,
)
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import (
    Sms,
    Viber,
    asend_message,
    asend_sms,
    prepare_sms,
    send_message,
    send_prepared,
    send_sms,
)
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import close_connection
from tests.unit.messente.answering import (
    broken_off,
    broken_tls,
    no_answer_in_time,
    no_connection,
    no_connection_in_time,
    reset,
)
from tests.unit.sending.answers import NUMBER, OMNICHANNEL_URL, SMS_URL, URLS, accept, accepted

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = ["dlr_received", "dlr_status_changed", "dlr_failed"]
ERROR = {"errors": [{"title": "Invalid data", "detail": "No +37255512345.", "code": "104", "source": "to"}]}
UNKNOWN: dict[str, dict[str, Any]] = {
    "no answer": {"body": no_answer_in_time()},
    "reset": {"body": reset()},
    "cut": {"body": broken_off()},
    "broken TLS": {"body": broken_tls()},
    "HTTP 500": {"status": 500, "body": "OK id-0"},
    "HTTP 503": {"status": 503, "body": "OK id-0"},
    "a page": {"body": "<html>"},
    "nothing": {"body": ""},
    "HTTP 204": {"status": 204},
    "a redirect": {"status": 302, "headers": {"Location": "http://127.0.0.1:9/elsewhere"}},
}
NOT_SENT: dict[str, tuple[dict[str, Any], bool]] = {
    "no connection": ({"body": no_connection()}, True),
    "no connection in time": ({"body": no_connection_in_time()}, True),
    "HTTP 429": ({"status": 429}, True),
    "HTTP 400": ({"status": 400, "json": ERROR}, False),
    "HTTP 401": ({"status": 401, "json": ERROR}, False),
    "HTTP 403": ({"status": 403, "json": ERROR}, False),
    "HTTP 404": ({"status": 404, "json": ERROR}, False),
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_outcome__row_stays_queued_and_nothing_is_repeated(
    api: str, fake_messente: responses.RequestsMock, answer: dict[str, Any], dlr_signals: SignalLog
) -> None:
    fake_messente.post(URLS[api], **answer)
    with pytest.raises(OutcomeUnknown) as raised:
        send_sms(NUMBER, "Tere")
    message = SmsMessage.objects.get()
    assert (message.status, message.sms_unique_id, message.omnimessage_id) == ("queued", None, "")
    assert raised.value.sms_message == message
    assert len(fake_messente.calls) == 1
    assert dlr_signals.names == []
    # A report decides.
    assert simulate_callback(message, sms_unique_id="id-0").status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize(("answer", "temporary"), NOT_SENT.values(), ids=NOT_SENT)
def test_not_sent__row_has_the_reason(
    api: str,
    fake_messente: responses.RequestsMock,
    answer: dict[str, Any],
    dlr_signals: SignalLog,
    *,
    temporary: bool,
) -> None:
    fake_messente.post(URLS[api], **answer)
    with pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Tere")
    message = SmsMessage.objects.get()
    assert raised.value.sms_message == message
    assert message.status == ("failed" if temporary else "rejected")
    assert (raised.value.temporary, raised.value.cause) == (temporary, None)
    assert (message.err, message.omnimessage_id) == (None, "")
    assert dlr_signals.names == FAILED
    assert dlr_signals.arguments("dlr_failed")["temporary"] is temporary
    assert message.error_text
    # The text may quote a number and the password, which the row and the exception must not contain.
    assert "37255512345" not in f"{raised.value}{message.error_text}{message.reports.get().payload}"
    # The SMS API has a backup host, which is tried when nothing can have arrived. Both have the same URL here.
    has_backup = api == "sms" and isinstance(answer.get("body"), Exception)
    assert len(fake_messente.calls) == (2 if has_backup else 1)


@pytest.mark.parametrize(
    ("answer", "temporary", "cause", "signals"),
    [
        ("FAILED 209", True, None, FAILED),
        ("ERROR 101", False, None, FAILED),
        ("ERROR 103", False, None, FAILED),
        ("ERROR 107", False, None, FAILED),
        ("ERROR 108", False, ErrorCode.BLACKLISTED, FAILED),
        ("ERROR 111", False, ErrorCode.SENDER_NOT_ALLOWED, [*FAILED, "sender_not_allowed"]),
    ],
)
def test_sms_api__error_sets_cause(
    fake_messente: responses.RequestsMock,
    answer: str,
    cause: ErrorCode | None,
    signals: list[str],
    dlr_signals: SignalLog,
    *,
    temporary: bool,
) -> None:
    fake_messente.post(SMS_URL, answer)
    with pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Tere")
    message = SmsMessage.objects.get()
    assert (raised.value.temporary, raised.value.cause) == (temporary, cause)
    assert (message.err, message.cause) == (cause, cause)
    assert dlr_signals.names == signals
    assert dlr_signals.arguments("dlr_failed")["temporary"] is temporary
    assert not Account.objects.filter(credits_exhausted_at__isnull=False).exists()


def test_dlr_failed__temporary_in_a_callback_is_not_believed(dlr_signals: SignalLog) -> None:
    message = prepare_sms(NUMBER)
    simulate_callback(message, "REJECTD", sms_unique_id="id-0", temporary="true")
    assert dlr_signals.arguments("dlr_failed")["temporary"] is False


def test_send_sms__accepted(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    message = send_sms(NUMBER, "Tere")
    row = SmsMessage.objects.get()
    assert (row.status, row.sms_unique_id) == ("sent", "id-0")
    assert row.omnimessage_id == ("" if api == "sms" else "an-omni-id")
    assert (row.channel, row.channel_count, row.channels, row.options) == ("sms", 1, [], {"api": api})
    assert message.sms_unique_id == row.sms_unique_id
    assert simulate_callback(row).status_code == 200


class BrokenDatabase:
    """A database that goes away with the answer of Messente.

    Args:
        mock: gets the answer.
        api: the API that answers.
        answer: the HTTP status and the body.
    """

    def __init__(self, mock: responses.RequestsMock, api: str, answer: tuple[int, str]) -> None:
        self._answer = answer
        self._is_away = False
        mock.add_callback("POST", URLS[api], self._respond)

    def _respond(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self._is_away = True
        return (self._answer[0], {}, self._answer[1])

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        if self._is_away:
            raise OperationalError("host and password")
        return execute(*arguments)


@pytest.fixture
def accepting_body(api: str) -> str:
    return "OK id-0" if api == "sms" else json.dumps(accepted())


def test_database_away_after_acceptance__outcome_unknown_with_the_id(
    api: str, accepting_body: str, fake_messente: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    broken = BrokenDatabase(fake_messente, api, (200, accepting_body))
    text = r"accepted the message with the id .id-0.*\(OperationalError\). Do not send it again"
    with connection.execute_wrapper(broken), pytest.raises(OutcomeUnknown, match=text) as raised:
        send_sms(NUMBER, "Tere")
    message = SmsMessage.objects.get(status="queued")
    assert raised.value.sms_message == message
    assert "host and" not in str(raised.value)
    assert "its id id-0 could not be stored" in caplog.text
    assert len(fake_messente.calls) == 1


def test_database_away_after_refusal__still_reads_as_not_sent(
    api: str, fake_messente: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    broken = BrokenDatabase(fake_messente, api, (403, ""))
    with connection.execute_wrapper(broken), pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Tere")
    assert raised.value.sms_message == SmsMessage.objects.get(status="queued")
    assert "was not sent, but this could not be stored" in caplog.text


def test_row_deleted_meanwhile__outcome_unknown(
    api: str, accepting_body: str, fake_messente: responses.RequestsMock
) -> None:
    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        SmsMessage.objects.all().delete()
        close_connection()
        return 200, {}, accepting_body

    fake_messente.add_callback("POST", URLS[api], respond)
    with pytest.raises(OutcomeUnknown, match=r"id-0.*DoesNotExist"):
        send_sms(NUMBER, "Tere")


def test_urls_not_included__raises_before_a_row_is_written(api: str, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.unit.sending.no_urls"
    for send in (partial(send_sms, NUMBER, "Tere"), partial(send_message, NUMBER, [Sms("Tere")])):
        with pytest.raises(ImproperlyConfigured, match=r"do not include django_messente_dlr\.urls"):
            send()
    assert not SmsMessage.objects.exists()


def test_inside_transaction__nothing_is_sent(api: str) -> None:
    prepared = prepare_sms(NUMBER)
    sends: tuple[Callable[[], SmsMessage], ...] = (
        lambda: send_sms(NUMBER, "Tere"),
        lambda: send_message(NUMBER, [Sms("Tere")]),
        lambda: send_prepared(prepared, "Tere"),
    )
    for send in sends:
        with pytest.raises(SendInsideTransaction), transaction.atomic():
            send()
    assert SmsMessage.objects.get().send_at is None


def test_credit_hold__nothing_is_sent(api: str) -> None:
    prepared = prepare_sms(NUMBER)
    AccountFactory.create(held=True)
    sends: tuple[Callable[[], SmsMessage], ...] = (
        lambda: send_sms(NUMBER, "Tere"),
        lambda: send_message(NUMBER, [Sms("Tere")]),
        lambda: send_prepared(prepared, "Tere"),
    )
    for send in sends:
        with pytest.raises(MessageNotSent) as raised:
            send()
        assert isinstance(raised.value, CreditsExhausted)
        assert raised.value.sms_message is None
    assert SmsMessage.objects.get().send_at is None


def test_asend__sends(api: str, messente_sandbox: Sandbox) -> None:
    message = async_to_sync(asend_sms)("+37255500143", "Tere", reference="order-17")
    other = async_to_sync(asend_message)("+37255500143", [Viber("Tere"), Sms("Tere")])
    assert (message.status, message.reference, other.channel_count) == ("sent", "order-17", 2)
    assert [sent.text for sent in messente_sandbox.messages][:1] == ["Tere"]


def test_send_message__ids_of_several_channels(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "sms"), status=201)
    message = send_message(NUMBER, [Viber("Tere", ttl=60, image_url="https://x.example"), Sms("Tere", validity=5)])
    row = SmsMessage.objects.get()
    assert (row.status, row.sms_unique_id, row.omnimessage_id) == ("sent", None, "an-omni-id")
    assert (row.channel, row.channel_count, row.validity) == ("viber", 2, 360)
    assert row.channels == [
        {"channel": "viber", "ttl": 60, "message_id": "id-0"},
        {"channel": "sms", "validity": 5, "message_id": "id-1"},
    ]
    assert message.channels == row.channels


@pytest.mark.parametrize(
    ("listed", "count", "sms_unique_id"),
    [(("sms",), 1, "id-0"), (("viber", "sms"), 2, None)],
)
def test_send_message__of_one_channel_is_found_by_its_message_id(
    fake_messente: responses.RequestsMock, listed: tuple[str, ...], count: int, sms_unique_id: str | None
) -> None:
    fake_messente.post(OMNICHANNEL_URL, json=accepted(*listed), status=201)
    message = send_message(NUMBER, [Sms("Tere", ttl=90)])
    assert (message.sms_unique_id, message.omnimessage_id, message.channel_count) == (
        sms_unique_id,
        "an-omni-id",
        count,
    )


def test_send_message__channels_not_listed_keep_the_count(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(OMNICHANNEL_URL, json={"omnimessage_id": "an-omni-id"}, status=201)
    message = send_message(NUMBER, [Viber("Tere"), Sms("Tere")])
    assert (message.status, message.sms_unique_id, message.omnimessage_id) == ("sent", None, "an-omni-id")
    assert [channel.get("message_id") for channel in message.channels] == [None, None]


def test_scheduled__sent_at_and_first_poll(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    at = timezone.now().replace(microsecond=0) + timedelta(hours=72)
    message = send_sms(NUMBER, "Tere", send_at=at)
    assert (message.send_at, message.sent_at) == (at, at)
    assert message.next_poll_at is not None
    assert message.next_poll_at > at


def test_scheduled__unknown_outcome_is_not_polled_before(api: str, fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(URLS[api], body=no_answer_in_time())
    at = timezone.now().replace(microsecond=0) + timedelta(hours=72)
    with pytest.raises(OutcomeUnknown):
        send_sms(NUMBER, "Tere", send_at=at)
    message = SmsMessage.objects.get()
    assert (message.send_at, message.sent_at) == (at, None)
    assert message.next_poll_at is not None
    assert message.next_poll_at > at


def test_refusal__is_a_report_of_the_timeline(api: str, fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(URLS[api], status=403)
    with pytest.raises(MessageNotSent):
        send_sms(NUMBER, "Tere")
    assert DeliveryReport.objects.get().source == "send"
