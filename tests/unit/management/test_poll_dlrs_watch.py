"""``poll_dlrs --watch``: runs for ever, outlives a restart of the database, and ends cleanly when it is told to."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import responses
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.models.querysets import PendingPollQuerySet
from tests.processes import django_admin, environment, run
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)
Answer = tuple[int, dict[str, str], str]


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [FIRST]}
    with Messente() as messente:
        yield messente


class Ending(StringIO):
    """An output that has this process told to end when it has so many lines."""

    def __init__(self, lines: int, number: signal.Signals = signal.SIGTERM) -> None:
        super().__init__()
        self._lines, self._number = lines, number

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") == self._lines:
            os.kill(os.getpid(), self._number)
        return written

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


def watch(out: StringIO, *arguments: str) -> None:
    call_command("poll_dlrs", "--watch=0.01", *arguments, stdout=out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_again_and_again_until_a_signal_comes(number: signal.Signals, messente: Messente) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    out = Ending(3, number)
    watch(out)
    assert len(out.lines) == 3
    assert all(line.startswith("asked 0") for line in out.lines)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_each_run_finds_what_has_become_due(messente: Messente) -> None:
    class Entering(Ending):
        def write(self, text: str) -> int:
            if len(self.lines) == 1:
                due()
            return super().write(text)

    messente.answer(FIRST, REPORT, "OK DELIVERED")
    out = Entering(4)
    watch(out, "--json")
    assert sum(json.loads(line)["asked"] for line in out.lines) == 1
    assert SmsMessage.objects.get().status == "delivered"


def test_a_signal_in_the_middle_lets_what_is_being_asked_be_recorded(messente: Messente) -> None:
    messages = [due() for _ in range(20)]
    told = threading.Event()

    def answer(request: object) -> Answer:
        if not told.is_set():
            told.set()
            os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}, "OK DELIVERED"

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    out = StringIO()
    watch(out, "--concurrency=1", "--rate=5", "--json")
    (line,) = out.getvalue().splitlines()
    ended = [message for message in messages if seen(message).status == "delivered"]
    assert json.loads(line)["final"] == len(ended) == len(messente.calls)
    assert len(ended) < 20
    assert SmsMessage.objects.due(timezone.now()).count() == 20 - len(ended)


def test_a_signal_ends_a_single_run_as_well(messente: Messente) -> None:
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


@pytest.mark.parametrize("trouble", [OperationalError("server closed"), InterfaceError("connection already closed")])
def test_trouble_with_the_database_is_logged_and_outlived(
    trouble: Exception, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    real, raised = PendingPollQuerySet.claim, list[Exception]()

    def claim(self: PendingPollQuerySet, *args: Any, **kwargs: Any) -> list[SmsMessage]:
        if not raised:
            raised.append(trouble)
            raise trouble
        return real(self, *args, **kwargs)

    with (
        mock.patch.object(PendingPollQuerySet, "claim", claim),
        caplog.at_level(logging.WARNING, "django_messente_dlr"),
    ):
        watch(Ending(1))
    assert "polling goes on when it can" in caplog.text
    assert seen(message).status == "delivered"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a server whose connections can be ended")
def test_a_connection_that_the_server_ends_is_made_anew(messente: Messente, caplog: pytest.LogCaptureFixture) -> None:
    import psycopg

    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    class Restarting(Ending):
        def write(self, text: str) -> int:
            if not self.lines:
                with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return super().write(text)

    out = Restarting(3)
    watch(out)
    assert len(out.lines) == 3
    assert seen(message).status == "delivered"


def test_a_single_run_says_with_its_exit_status_that_there_is_no_database(messente: Messente) -> None:
    with (
        mock.patch.object(PendingPollQuerySet, "claim", side_effect=OperationalError("could not connect")),
        pytest.raises(CommandError, match="The database cannot be used: could not connect") as raised,
    ):
        call_command("poll_dlrs")
    assert raised.value.returncode == 3


def test_a_refused_account_is_left_alone_by_the_next_runs(messente: Messente) -> None:
    for _ in range(10):
        due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    out = Ending(3)
    watch(out, "--concurrency=1", "--batch-size=1", "--json")
    assert len(messente.calls) == 1
    assert all("Compare USERNAME" in json.loads(line)["stopped"]["default"] for line in out.lines)
    assert "Compare USERNAME" in Account.objects.get(name="default").last_poll_error


def test_a_real_process_ends_well_on_sigterm(tmp_path: Path) -> None:
    run("migrate", "--verbosity=0", folder=tmp_path).check_returncode()
    command = django_admin("poll_dlrs", "--watch=600")
    with subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("asked 0")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_settings_that_a_check_refuses_end_a_real_process_as_any_other_wrong_setting(tmp_path: Path) -> None:
    """systemd is told not to start it again after that status: ``RestartPreventExitStatus=2``."""
    (tmp_path / "wrong.py").write_text("from tests.settings import *\nMESSENTE_DLR = {'USERNAME': 'shop'}\n")
    ended = run("poll_dlrs", folder=tmp_path, settings="wrong")
    assert ended.returncode == 2
    assert "django_messente_dlr.E005" in ended.stderr
