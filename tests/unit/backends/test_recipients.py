"""ALLOWED_RECIPIENTS and OVERRIDE_RECIPIENT: what is sent to whom, and what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import responses

from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.exceptions import MessageNotSent, RecipientNotAllowed
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.recipients import is_allowed
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import Sms, prepare_sms, send_message, send_prepared, send_sms, track_sms

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER, OTHER = "+37255500000", "+37255599999"


def configure(settings: Any, **values: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}


@pytest.mark.parametrize(
    ("recipient", "patterns", "expected"),
    [
        ("+37255500000", ["37255500000"], True),
        ("37255500000", ["37255500000"], True),
        ("+372555000001", ["37255500000"], False),
        ("+3725550000", ["37255500000"], False),
        ("+372555000001", ["37255500000*"], True),
        ("+37255500000", ["372*"], True),
        ("+37155500000", ["372*", "44*"], False),
        ("+37255500000", [], False),
        ("", ["372*"], False),
        ("+37255500000,447700800000", ["372*"], False),
        ("+37255500000 447700800000", ["372*"], False),
        ("+37255500000\n", ["372*"], True),
        ("372\uff15\uff15\uff15\uff10\uff10\uff10\uff10\uff10", ["372*"], False),
    ],
)
def test_is_allowed__patterns(recipient: str, patterns: list[str], *, expected: bool) -> None:
    assert is_allowed(recipient, patterns) is expected


SENDERS: list[Callable[[], SmsMessage]] = [
    lambda: send_sms(OTHER, "Tere"),
    lambda: send_message(OTHER, [Sms("Tere")]),
    lambda: prepare_sms(OTHER),
]


@pytest.mark.parametrize("send", SENDERS)
def test_send__forbidden_number_stores_nothing(
    send: Callable[[], SmsMessage], settings: Any, sms_outbox: list[OutgoingMessage]
) -> None:
    configure(settings, ALLOWED_RECIPIENTS=[NUMBER])
    with pytest.raises(RecipientNotAllowed, match="not in ALLOWED_RECIPIENTS, so nothing was sent"):
        send()
    assert (SmsMessage.objects.count(), sms_outbox) == (0, [])


def test_send_sms__allowed_number(settings: Any, sms_outbox: list[OutgoingMessage]) -> None:
    configure(settings, ALLOWED_RECIPIENTS=["+372 555*"])
    message = send_sms(NUMBER, "Tere")
    assert ([sent.to for sent in sms_outbox], message.overridden) == ([NUMBER], False)


def test_send_prepared__forbidden_since_it_was_prepared(settings: Any, sms_outbox: list[OutgoingMessage]) -> None:
    message = prepare_sms(OTHER)
    configure(settings, ALLOWED_RECIPIENTS=[NUMBER])
    with pytest.raises(RecipientNotAllowed):
        send_prepared(message, "Tere")
    assert sms_outbox == []


@pytest.mark.parametrize("send", SENDERS[:2])
def test_send__override(send: Callable[[], SmsMessage], settings: Any, sms_outbox: list[OutgoingMessage]) -> None:
    configure(settings, OVERRIDE_RECIPIENT=NUMBER, ALLOWED_RECIPIENTS=[NUMBER])
    message = send()
    message.refresh_from_db()
    assert [sent.to for sent in sms_outbox] == [NUMBER]
    assert (message.recipient, message.overridden) == (OTHER, True)


def test_prepare_sms__override(settings: Any) -> None:
    configure(settings, OVERRIDE_RECIPIENT=NUMBER)
    with pytest.raises(RecipientNotAllowed, match="applies only to messages that this app sends"):
        prepare_sms(NUMBER)
    assert not SmsMessage.objects.exists()


def test_track_sms__is_not_affected(settings: Any) -> None:
    configure(settings, OVERRIDE_RECIPIENT=NUMBER, ALLOWED_RECIPIENTS=[NUMBER])
    assert track_sms("an-id", recipient=OTHER).overridden is False


def test_recipient_not_allowed__is_not_sent() -> None:
    assert issubclass(RecipientNotAllowed, MessageNotSent)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.send(OTHER, "Tere"),
        lambda client: client.send_omnimessage({"to": OTHER, "messages": []}),
        lambda client: client.send_omnimessages([{"to": NUMBER, "messages": []}, {"to": OTHER, "messages": []}]),
    ],
)
def test_client__makes_no_request_for_a_forbidden_number(call: Callable[[Any], Any], settings: Any) -> None:
    configure(settings, ALLOWED_RECIPIENTS=[NUMBER])
    with responses.RequestsMock() as messente:
        with pytest.raises(errors.RecipientForbidden):
            call(client_for("default"))
        assert len(messente.calls) == 0


@pytest.mark.parametrize(
    ("allowed", "number"), [(None, OTHER), ([NUMBER, OTHER], OTHER), ([OTHER], OTHER), ([OTHER], NUMBER)]
)
def test_client__sends_to_the_override_alone(allowed: list[str] | None, number: str, settings: Any) -> None:
    """A backend of the project that calls the client itself cannot avoid OVERRIDE_RECIPIENT."""
    configure(settings, ALLOWED_RECIPIENTS=allowed, OVERRIDE_RECIPIENT=NUMBER)
    with responses.RequestsMock(), pytest.raises(errors.RecipientForbidden):
        client_for("default").send(number, "Tere")
