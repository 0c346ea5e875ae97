"""`resend`: the new message, which messages may be sent again, and that each is sent again once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import responses
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from django_messente_dlr.exceptions import (
    CreditsExhausted,
    MessageNotSent,
    OutcomeUnknown,
    RecipientNotAllowed,
    SendInsideTransaction,
)
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import Sms, Viber, aresend, prepare_sms, resend, send_message, send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.maintenance.interfering import just_before
from tests.unit.messente.answering import no_answer_in_time
from tests.unit.sending.answers import NUMBER, OMNICHANNEL_URL, SMS_URL, URLS, accept, accepted

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "Your parcel is here"
# The credit hold is read after the message, and directly before the transaction that claims it.
BEFORE_CLAIM = 'credits_exhausted_at" IS NOT NULL'


@pytest.fixture(autouse=True)
def _store_text(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": True}


def failed(**attributes: Any) -> SmsMessage:
    """Create a message of one SMS that failed."""
    message: SmsMessage = SmsMessageFactory.create(
        **{"status": Status.FAILED, "recipient": NUMBER, "text": TEXT, **attributes}
    )
    return message


def fail(message: SmsMessage) -> SmsMessage:
    """Let a message that was sent fail."""
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.FAILED, rank=Status.FAILED.rank)
    PendingPoll.objects.filter(pk=message.pk).delete()
    return SmsMessage.objects.get(pk=message.pk)


def request_data(api: str, request: Any) -> dict[str, Any]:
    """Return what a request to one of Messente's APIs contains."""
    data: dict[str, Any] = json.loads(request.body) if api == "omnichannel" else dict(parse_qsl(request.body))
    return data


def test_resend__new_message_of_one_text(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    options: dict[str, Any] = {"validity": 5, "udh": "0500", "autoconvert": "off", "text_store": "sha256"}
    old = fail(send_sms(NUMBER, TEXT, sender="Shop", metadata={"order": 17}, reference="order-17", **options))
    SmsMessage.objects.update(sms_unique_id="another-id", omnimessage_id="")
    new = resend(old)
    first, second = (request_data(api, call.request) for call in fake_messente.calls)
    url = "dlr-url" if api == "sms" else "dlr_url"
    assert second == {**first, url: new.callback_url}
    assert first[url] == old.callback_url
    row = SmsMessage.objects.get(pk=new.pk)
    same = ("recipient", "account", "sender", "metadata", "reference", "options", "channels", "channel", "text")
    assert {name: getattr(row, name) for name in same} == {name: getattr(old, name) for name in same}
    assert (row.resend_of, row.status, row.validity, row.resent_at) == (old, "sent", 300, None)
    assert row.next_poll_at is not None
    old_row = SmsMessage.objects.get(pk=old.pk)
    assert [*old_row.resends.all()] == [row]
    assert (old_row.status, old_row.resent_at) == ("failed", old.resent_at)
    assert old.resent_at is not None


def test_resend__several_channels(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "sms"), status=201)
    channels = [
        Viber(TEXT, sender="Shop", ttl=60, extra={"new": "field"}),
        Sms(TEXT, validity=5),
    ]
    old = fail(send_message(NUMBER, channels, priority="high", text_store="nostore"))
    fake_messente.replace(
        "POST", OMNICHANNEL_URL, json=accepted("viber", "sms", omnimessage_id="another"), status=201
    )
    new = resend(old)
    first, second = (request_data("omnichannel", call.request) for call in fake_messente.calls)
    assert second == {**first, "dlr_url": new.callback_url}
    assert (new.channel, new.channel_count, new.omnimessage_id) == ("viber", 2, "another")
    assert new.options == old.options
    assert new.channels == old.channels  # the fake Messente gives the same ids


def test_resend__does_not_repeat_send_at(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    old = failed(send_at=timezone.now() + timedelta(days=1), sent_at=None)
    new = resend(old)
    assert "time_to_send" not in str(fake_messente.calls[0].request.body)
    assert new.send_at is not None
    assert abs(new.send_at - timezone.now()) < timedelta(minutes=1)


def test_resend__uses_the_api_of_the_message(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(SMS_URL, "OK id-0")
    new = resend(failed(options={"api": "sms", "charset": "UTF-8"}))
    assert (new.sms_unique_id, new.options) == ("id-0", {"api": "sms", "charset": "UTF-8"})


def test_resend__of_another_client_uses_send_api(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    new = resend(fail(prepare_sms(NUMBER, text=TEXT, sender="Shop")))
    assert new.options == {"api": api}
    assert fake_messente.calls[0].request.url == URLS[api]


@pytest.mark.parametrize("status", ["failed", "rejected", "unresolved"])
def test_resend__of_status(status: str, messente_sandbox: Sandbox) -> None:
    assert resend(failed(status=status)).status == "sent"


@pytest.mark.parametrize("spelling", ["+37255500000", "37255500000", "0037255500000"])
def test_resend__recipient_in_each_spelling(spelling: str, messente_sandbox: Sandbox) -> None:
    assert resend(failed(recipient=spelling)).recipient == NUMBER


def test_resend__with_a_text(messente_sandbox: Sandbox) -> None:
    new = resend(failed(text="", options={"validity": 5}), text="Another text")
    assert (new.text, new.validity) == ("Another text", 300)
    assert [message.text for message in messente_sandbox.messages] == ["Another text"]
    assert resend(failed(), text="Another text").text == "Another text"


def test_resend__text_of_a_message_of_channels(fake_messente: responses.RequestsMock) -> None:
    with pytest.raises(ValueError, match=r"Call resend without text, or send_message with new channels\."):
        resend(failed(channels=[{"channel": "sms", "text": TEXT}]), text="Another text")
    assert SmsMessage.objects.count() == 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"recipient": "erased-abcdefghijkl"}, "its recipient is erased. Call send_sms"),
    ({"recipient": ""}, "its recipient is not known"),
    ({"status": "delivered"}, "it reached its recipient"),
    ({"status": "seen"}, "it reached its recipient"),
    ({"resent_at": timezone.now()}, "it was already sent again. If its resend fails, too"),
    ({"status": "cancelled"}, "it was cancelled. Call send_sms"),
    ({"status": "sent"}, "it may still arrive. Wait until"),
    ({"queued": True}, "it may still arrive"),
    ({"prepared": True}, "it may still arrive"),
    ({"channel": "viber"}, "another client sent it by a channel other than SMS"),
    ({"text": ""}, "its text is not stored. Pass text, or set STORE_TEXT"),
    ({"several_channels": True, "text": TEXT}, "the content of its channels is not stored"),
]


@pytest.mark.parametrize(("attributes", "reason"), REFUSED)
def test_resend__message_that_may_not_be_sent_again(
    attributes: dict[str, Any], reason: str, fake_messente: responses.RequestsMock
) -> None:
    # The traits of the factory set the status themselves.
    values = {} if attributes.keys() & {"queued", "prepared"} else {"status": Status.FAILED}
    message = SmsMessageFactory.create(**{"recipient": NUMBER, "text": TEXT, **values, **attributes})
    with pytest.raises(ValueError, match=f"^Message {message.pk} cannot be sent again: {reason}"):
        resend(message)
    assert SmsMessage.objects.get().resent_at == attributes.get("resent_at")
    assert len(fake_messente.calls) == 0


@pytest.mark.parametrize("status", ["delivered", "sent", "cancelled"])
def test_resend__text_allows_no_other_status(status: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent again"):
        resend(failed(status=status, text=""), text=TEXT)
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [("", ValueError), (b"Tere", TypeError), ("\0", ValueError), ("õ" * 10_000, ValueError)],
)
def test_resend__text_that_cannot_be_sent(text: Any, error: type[Exception]) -> None:
    message = failed()
    with pytest.raises(error):
        resend(message, text=text)
    assert SmsMessage.objects.get().resent_at is None


def test_resend__reads_the_status_again(fake_messente: responses.RequestsMock) -> None:
    message = failed()
    simulate_callback(message)
    with pytest.raises(ValueError, match="it reached its recipient"):
        resend(message)
    assert message.status == "delivered"


def test_resend__twice(messente_sandbox: Sandbox) -> None:
    message = failed()
    new = resend(message)
    with pytest.raises(ValueError, match="it was already sent again"):
        resend(message)
    assert resend(fail(new)).resend_of == new
    assert SmsMessage.objects.count() == 3


def test_resend__another_process_is_faster(messente_sandbox: Sandbox) -> None:
    message = failed()
    with (
        just_before(BEFORE_CLAIM, lambda: resend(SmsMessage.objects.get())),
        pytest.raises(ValueError, match="it was already sent again"),
    ):
        resend(message)
    assert SmsMessage.objects.count() == 2
    assert len(messente_sandbox.messages) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "delivered", "rank": 50}, "it reached its recipient"),
        ({"recipient": "erased-abcdefghijkl"}, "its recipient is erased"),
        ({"recipient": "+37255500001"}, "its row has changed since it was read"),
        ({"account": "marketing"}, "its row has changed since it was read"),
    ],
)
def test_resend__row_changes_before_the_claim(
    changes: dict[str, Any], reason: str, fake_messente: responses.RequestsMock
) -> None:
    message = failed()
    with (
        just_before(BEFORE_CLAIM, lambda: SmsMessage.objects.update(**changes)),
        pytest.raises(ValueError, match=reason),
    ):
        resend(message)
    assert SmsMessage.objects.get().resent_at is None


def test_resend__deleted_message() -> None:
    message = failed()
    SmsMessage.objects.all().delete()
    with pytest.raises(SmsMessage.DoesNotExist):
        resend(message)
    message = failed()
    with just_before(BEFORE_CLAIM, lambda: SmsMessage.objects.all().delete()), pytest.raises(SmsMessage.DoesNotExist):
        resend(message)


def test_resend__inside_a_transaction(fake_messente: responses.RequestsMock) -> None:
    message = failed()
    with transaction.atomic(), pytest.raises(SendInsideTransaction, match="resend was called inside a transaction"):
        resend(message)
    assert SmsMessage.objects.get().resent_at is None


def test_resend__account_on_hold() -> None:
    AccountFactory.create(held=True)
    message = failed()
    with pytest.raises(CreditsExhausted):
        resend(message)
    assert SmsMessage.objects.get().resent_at is None


@pytest.mark.parametrize(
    ("setting", "attributes", "error"),
    [
        ({"ALLOWED_RECIPIENTS": ["+37255500001"]}, {}, RecipientNotAllowed),
        ({"MAX_PARTS": 1}, {"text": "x" * 200}, ValueError),
        ({}, {"account": "gone"}, ImproperlyConfigured),
        ({}, {"recipient": "12"}, ValueError),
    ],
)
def test_resend__refused_before_the_row(
    setting: dict[str, Any], attributes: dict[str, Any], error: type[Exception], settings: Any
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **setting}
    message = failed(**attributes)
    with pytest.raises(error):
        resend(message)
    assert SmsMessage.objects.get().resent_at is None


def test_resend__without_urls(settings: Any) -> None:
    message = failed()
    settings.ROOT_URLCONF = "tests.unit.sending.no_urls"
    with pytest.raises(ImproperlyConfigured, match=r"do not include django_messente_dlr\.urls"):
        resend(message)
    assert SmsMessage.objects.get().resent_at is None


def test_resend__of_an_overridden_message(messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "OVERRIDE_RECIPIENT": "+37255500001"}
    new = resend(failed())
    assert (new.recipient, new.overridden) == (NUMBER, True)
    assert [message.recipient for message in messente_sandbox.messages] == ["+37255500001"]


def test_resend__refused(messente_sandbox: Sandbox) -> None:
    with pytest.raises(MessageNotSent) as raised:
        resend(failed(recipient="+37255500211"))
    new = raised.value.sms_message
    assert new is not None
    assert (new.status, new.resend_of_id) == ("rejected", SmsMessage.objects.earliest("pk").pk)


def test_resend__outcome_unknown(api: str, fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(URLS[api], body=no_answer_in_time())
    message = failed()
    with pytest.raises(OutcomeUnknown) as raised:
        resend(message)
    assert raised.value.sms_message == SmsMessage.objects.latest("pk")
    assert SmsMessage.objects.latest("pk").status == "queued"
    with pytest.raises(ValueError, match="it was already sent again"):
        resend(message)
    assert len(fake_messente.calls) == 1


def test_resend__text_is_no_longer_stored(messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": False}
    assert resend(failed()).text == ""
    channels = [{"channel": "viber", "text": TEXT, "sender": "Shop"}, {"channel": "sms", "text": TEXT}]
    new = resend(failed(channels=channels, channel="viber", options={"api": "omnichannel"}))
    assert [channel.keys() for channel in new.channels] == [
        {"channel", "sender", "message_id"},
        {"channel", "message_id"},
    ]


def test_resend__unknown_argument() -> None:
    with pytest.raises(TypeError, match=r'resend\(\) has no argument "test"\. Did you mean text\?'):
        resend(failed(), test="x")  # type: ignore[call-arg]


def test_aresend__sends(messente_sandbox: Sandbox) -> None:
    message = failed(text="")
    assert async_to_sync(aresend)(message, text=TEXT).resend_of == message
