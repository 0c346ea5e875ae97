"""Cancelling at Messente, and the selection of the backend. How it sends is tested in tests/unit/sending."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.backends import get_backend
from django_messente_dlr.backends.base import BaseBackend, OutgoingMessage, SendResult
from django_messente_dlr.backends.messente import Backend, omnimessage
from django_messente_dlr.exceptions import CancelRefused, UnknownMessage
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import send_sms
from tests.unit.messente.answering import NEVER_LEFT, no_answer_in_time

CANCEL_SMS = "http://127.0.0.1:9/cancel_sms/"
OMNIMESSAGE = "http://127.0.0.1:9/v1/omnimessage/an-omni-id"


class ListBackend(BaseBackend):
    """Keep messages in a list."""

    messages: list[OutgoingMessage] = []

    def send(self, message: OutgoingMessage) -> SendResult:
        self.messages.append(message)
        return SendResult(sms_unique_id=f"id-{len(self.messages)}")


@pytest.mark.django_db(transaction=True)
def test_send_sms__uses_the_backend_of_the_settings(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": f"{__name__}.ListBackend"}
    message = send_sms("+37255500000", "Tere", sender="Shop")
    assert (message.status, message.sms_unique_id) == ("sent", "id-1")
    (outgoing,) = ListBackend.messages
    assert outgoing.channels == ({"channel": "sms", "text": "Tere", "sender": "Shop"},)
    assert outgoing.dlr_url == message.callback_url


@pytest.mark.parametrize("path", ["shop.sms.Backend", "decimal.Decimal", "decimal.getcontext", f"{__name__}.absent"])
def test_get_backend__invalid_path(settings: Any, path: str) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": path}
    with pytest.raises(ImproperlyConfigured, match=f"BACKEND '{path}'"):
        get_backend()


def test_get_backend__is_created_once(settings: Any) -> None:
    first = get_backend()
    assert isinstance(first, Backend)
    assert get_backend() is first
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": f"{__name__}.ListBackend"}
    assert isinstance(get_backend(), ListBackend)


# The answer of each API, the error, and its ``answered``.
ERRORS: list[tuple[dict[str, Any], dict[str, Any], type[Exception] | None, bool | None]] = [
    ({"body": "OK DELETED"}, {"status": 202, "json": {}}, None, None),
    ({"body": "ERROR 107"}, {"status": 404}, UnknownMessage, None),
    ({"body": "ERROR 101"}, {"status": 401}, CancelRefused, True),
    ({"body": "ERROR 103"}, {"status": 403}, CancelRefused, True),
    ({"body": "FAILED 209"}, {"status": 500}, CancelRefused, False),
    ({"body": "<html>"}, {"status": 200, "body": "<html>"}, CancelRefused, False),
    ({"status": 302}, {"status": 302}, CancelRefused, False),
    ({"status": 429}, {"status": 429}, CancelRefused, True),
    ({"body": no_answer_in_time()}, {"body": no_answer_in_time()}, CancelRefused, False),
    ({"body": NEVER_LEFT[0]()}, {"body": NEVER_LEFT[0]()}, CancelRefused, False),
]


@pytest.mark.parametrize(("by_sms", "by_omnichannel", "error", "answered"), ERRORS)
@pytest.mark.parametrize("is_omnimessage", [False, True])
def test_cancel__answer(
    by_sms: dict[str, Any],
    by_omnichannel: dict[str, Any],
    error: type[Exception] | None,
    *,
    answered: bool | None,
    is_omnimessage: bool,
) -> None:
    message = SmsMessage(sms_unique_id="an-id", omnimessage_id="an-omni-id" if is_omnimessage else "")
    with responses.RequestsMock() as mock:
        if is_omnimessage:
            mock.delete(OMNIMESSAGE, **by_omnichannel)
        else:
            mock.post(CANCEL_SMS, **by_sms)
        if error is None:
            Backend().cancel(message)
            return
        with pytest.raises((CancelRefused, UnknownMessage)) as raised:
            Backend().cancel(message)
    assert (type(raised.value), getattr(raised.value, "answered", None)) == (error, answered)
    assert "a-password" not in str(raised.value)


def test_cancel__unknown_at_the_backup_host(settings: Any) -> None:
    """The first host may have cancelled the message, so "unknown" is no answer to the question."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": ["http://127.0.0.1:9", "http://127.0.0.1:10"]}
    with responses.RequestsMock() as mock:
        mock.post(CANCEL_SMS, body=no_answer_in_time())
        mock.post("http://127.0.0.1:10/cancel_sms/", body="ERROR 107")
        with pytest.raises(CancelRefused, match="The first request may have cancelled the message") as raised:
            Backend().cancel(SmsMessage(sms_unique_id="an-id"))
    assert raised.value.answered is False
    assert pickle.loads(pickle.dumps(raised.value)).answered is False


@pytest.mark.parametrize("number", ["37255500000", "+37255500000", "0037255500000"])
def test_omnimessage__number_has_a_plus(number: str) -> None:
    message = OutgoingMessage(to=number, channels=({"channel": "sms"},), account="default", api="omnichannel")
    assert omnimessage(message) == {"to": "+37255500000", "messages": [{"channel": "sms"}]}
