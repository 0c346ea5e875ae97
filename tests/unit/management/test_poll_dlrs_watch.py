"""``poll_dlrs --watch``: it runs until a signal, and continues after errors of the database."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any
from unittest import mock

import pytest
import responses
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.management.commands import poll_dlrs
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.models.querysets import PendingPollQuerySet
from django_messente_dlr.testing.factories import AccountFactory
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)
Answer = tuple[int, dict[str, str], str]


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [FIRST]}
    with Messente() as messente:
        yield messente


class SignalAfterLines(StringIO):
    """An output that sends a signal to this process as soon as it has a number of lines."""

    def __init__(self, lines: int, signum: signal.Signals = signal.SIGTERM) -> None:
        super().__init__()
        self._lines, self._signum = lines, signum

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") == self._lines:
            os.kill(os.getpid(), self._signum)
        return written

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


def watch(out: StringIO, *arguments: str) -> None:
    call_command("poll_dlrs", "--watch=0.01", *arguments, stdout=out)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_watch__until_signal(signum: signal.Signals, messente: Messente) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    out = SignalAfterLines(3, signum)
    watch(out)
    assert len(out.lines) == 3
    assert all(line.startswith("asked 0") for line in out.lines)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_watch__message_due_between_runs(messente: Messente) -> None:
    class AddMessageAfterFirstRun(SignalAfterLines):
        def write(self, text: str) -> int:
            if len(self.lines) == 1:
                due()
            return super().write(text)

    messente.answer(FIRST, REPORT, "OK DELIVERED")
    out = AddMessageAfterFirstRun(4)
    watch(out, "--json")
    assert sum(json.loads(line)["asked"] for line in out.lines) == 1
    assert SmsMessage.objects.get().status == "delivered"


def test_watch__signal_during_request(messente: Messente) -> None:
    messages = [due() for _ in range(20)]
    signalled = threading.Event()

    def answer(request: object) -> Answer:
        if not signalled.is_set():
            signalled.set()
            os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}, "OK DELIVERED"

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    out = StringIO()
    watch(out, "--concurrency=1", "--rate=5", "--json")
    (line,) = out.getvalue().splitlines()
    delivered = [message for message in messages if seen(message).status == "delivered"]
    assert json.loads(line)["final"] == len(delivered) == len(messente.calls)
    assert len(delivered) < 20
    assert SmsMessage.objects.due(timezone.now()).count() == 20 - len(delivered)


def test_poll_dlrs__signal_during_single_run(messente: Messente) -> None:
    for _ in range(5):
        due()

    def answer(request: object) -> Answer:
        os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}, "OK DELIVERED"

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    out = StringIO()
    call_command("poll_dlrs", "--concurrency=1", "--rate=1", stdout=out)
    assert "asked 1, final 1" in out.getvalue()
    assert SmsMessage.objects.due(timezone.now()).count() == 4


def test_watch__checks_balances_during_a_long_pause(messente: Messente, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold ends within minutes, although the next run is an hour away."""
    monkeypatch.setattr(poll_dlrs, "BALANCE_CHECK_INTERVAL", 0.01)
    balances = iter(["OK 0", "OK 0", "OK 12.50"])

    def answer(request: object) -> Answer:
        balance = next(balances)
        if balance != "OK 0":
            os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}, balance

    messente.add_callback(responses.POST, f"{FIRST}/get_balance/", answer)
    AccountFactory.create(held=True)
    out = StringIO()
    call_command("poll_dlrs", "--watch=3600", stdout=out)
    assert len(out.getvalue().splitlines()) == 1
    assert not accounts.is_held("default")


@pytest.mark.parametrize("error", [OperationalError("server closed"), InterfaceError("connection already closed")])
def test_watch__continues_after_database_error(
    error: Exception, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    original, raised = PendingPollQuerySet.claim, list[Exception]()

    def claim(self: PendingPollQuerySet, *args: Any, **kwargs: Any) -> list[SmsMessage]:
        if not raised:
            raised.append(error)
            raise error
        return original(self, *args, **kwargs)

    with (
        mock.patch.object(PendingPollQuerySet, "claim", claim),
        caplog.at_level(logging.WARNING, "django_messente_dlr"),
    ):
        watch(SignalAfterLines(1))
    assert "the next run tries again" in caplog.text
    assert seen(message).status == "delivered"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a server that can close a connection")
def test_watch__reconnects_after_closed_connection(messente: Messente, caplog: pytest.LogCaptureFixture) -> None:
    import psycopg

    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    class CloseConnection(SignalAfterLines):
        def write(self, text: str) -> int:
            if not self.lines:
                with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return super().write(text)

    out = CloseConnection(3)
    watch(out)
    assert len(out.lines) == 3
    assert seen(message).status == "delivered"


def test_poll_dlrs__exit_status_without_database(messente: Messente) -> None:
    with (
        mock.patch.object(PendingPollQuerySet, "claim", side_effect=OperationalError("could not connect")),
        pytest.raises(CommandError, match="The database cannot be used: could not connect") as raised,
    ):
        call_command("poll_dlrs")
    assert raised.value.returncode == 3


def test_watch__rejected_account_is_not_polled_again(messente: Messente) -> None:
    for _ in range(10):
        due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    out = SignalAfterLines(3)
    watch(out, "--concurrency=1", "--batch-size=1", "--json")
    assert len(messente.calls) == 1
    assert all("Compare USERNAME" in json.loads(line)["stopped"]["default"] for line in out.lines)
    assert "Compare USERNAME" in Account.objects.get(name="default").poll_error_description
