"""The backends that send nothing: the console, and the list of tests."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import TestCase, TransactionTestCase

from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.backends.console import Backend as ConsoleBackend
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.sending import Sms, Viber, prepare_sms, send_message, send_prepared, send_sms
from django_messente_dlr.testing import OutboxMixin, outbox
from django_messente_dlr.testing.callbacks import simulate_callback

NUMBER = "+37255500000"


@pytest.fixture
def no_sockets(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Record each attempt to open a connection, except the one to the database, which is open before."""
    connection.ensure_connection()
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: opened.append(address))
    yield opened
    assert opened == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("api", ["omnichannel", "sms"])
def test_locmem__collects_messages(
    api: str, settings: Any, sms_outbox: list[OutgoingMessage], no_sockets: list[Any]
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": api}
    message = send_sms(NUMBER, "Tere", sender="Shop", validity=5)
    (sent,) = sms_outbox
    assert (sent.to, sent.text, sent.sender, sent.api) == (NUMBER, "Tere", "Shop", api)
    assert message.status == "sent"
    assert str(message.sms_unique_id).startswith("local-")
    assert not PendingPoll.objects.exists()
    assert no_sockets == []


@pytest.mark.django_db(transaction=True)
def test_locmem__several_channels(sms_outbox: list[OutgoingMessage]) -> None:
    message = send_message(NUMBER, [Viber("Tere", ttl=60), Sms("Tere, SMS")])
    assert [channel["channel"] for channel in sms_outbox[0].channels] == ["viber", "sms"]
    assert (message.sms_unique_id, message.channel_count) == (None, 2)
    assert message.omnimessage_id.startswith("local-")
    assert not PendingPoll.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_locmem__prepared_message(sms_outbox: list[OutgoingMessage]) -> None:
    message = send_prepared(prepare_sms(NUMBER), "Tere")
    assert (message.status, len(sms_outbox)) == ("sent", 1)
    assert not PendingPoll.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_locmem__report_of_a_local_message(sms_outbox: list[OutgoingMessage]) -> None:
    message = send_sms(NUMBER, "Tere")
    assert simulate_callback(message, "DELIVRD").status_code == 200
    message.refresh_from_db()
    assert (message.status, len(sms_outbox)) == ("delivered", 1)


class MixinTests(OutboxMixin, TransactionTestCase):
    """Each test begins with an empty outbox, whichever runs first."""

    def test_outbox__first(self) -> None:
        assert outbox == []
        send_sms(NUMBER, "Tere")
        assert [message.text for message in outbox] == ["Tere"]

    test_outbox__second = test_outbox__first


class MixinInTransactionTests(OutboxMixin, TestCase):
    """With Django's TestCase, code that sends after the commit is called when the test says so."""

    def test_outbox__on_commit(self) -> None:
        message = prepare_sms(NUMBER)
        assert SmsMessage.objects.get() == message
        assert outbox == []


def test_console__prints_a_message() -> None:
    stream = io.StringIO()
    viber = {"channel": "viber", "text": "Tere\nMari", "sender": "Shop", "ttl": 60}
    message = OutgoingMessage(
        to=NUMBER,
        channels=(viber, {"channel": "sms", "text": "SMS"}),
        account="default",
        api="omnichannel",
        dlr_url="https://shop.example.com/a-secret-token",
    )
    result = ConsoleBackend(stream).send(message)
    printed = stream.getvalue()
    assert printed.splitlines()[:9] == [
        f"To: {NUMBER}",
        "Account: default",
        f"Id: {result.omnimessage_id}",
        "",
        "viber from Shop:",
        "Tere",
        "Mari",
        "(ttl: 60)",
        "",
    ]
    assert "a-secret-token" not in printed


@pytest.mark.django_db(transaction=True)
def test_console__is_a_backend(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "BACKEND": "django_messente_dlr.backends.console.Backend",
    }
    assert send_sms(NUMBER, "Tere").status == "sent"
    assert "Tere" in capsys.readouterr().out
