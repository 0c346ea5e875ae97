"""Responses without an end: the deadline of an exchange, in everything that calls Messente.

Each test asserts that the server has not ended the response when the call returns.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.core.management import call_command

from django_messente_dlr import polling
from django_messente_dlr.doctor.checks import callbacks as callback_checks
from django_messente_dlr.exceptions import NoResponse, OutcomeUnknown
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.messente.client import MessenteClient
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.polling import Poller, PollOutcome
from django_messente_dlr.sending import Sms, Viber, send_message, send_sms
from django_messente_dlr.testing.factories import AccountFactory
from tests.integration.messente_sockets.wire import (
    DRIPS_IN_BODY,
    DRIPS_IN_HEAD,
    PATIENCE,
    Behaviour,
    Connection,
    Wire,
    answering,
    drip_handshake,
)
from tests.processes import django_admin, environment, run
from tests.unit.messente.answering import CALLS, client, every_idempotent_call
from tests.unit.messente.test_secrets import assert_error_hides_password
from tests.unit.polling.rows import due, seen

SHORT = 0.3
# Long enough for a healthy host on a busy machine.
LONG = 1.0
drip = DRIPS_IN_HEAD["drips a header"]
DRIPS = DRIPS_IN_HEAD | DRIPS_IN_BODY
every_drip = pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, behave: Behaviour) -> Wire:
    return stack.enter_context(Wire(behave))


def connect(stack: ExitStack, *hosts: str, **options: Any) -> MessenteClient:
    return stack.enter_context(closing(client(hosts=hosts, **options)))


def dripping_at_first(wire: Wire, connection: Connection) -> None:
    """Send a response without an end on the first connection only."""
    (drip if wire.accepted == 1 else answering())(wire, connection)


class TestClient:
    @every_drip
    def test_send__deadline_is_outcome_unknown(self, stack: ExitStack, behave: Behaviour) -> None:
        first, backup = start(stack, behave), start(stack, answering())
        with pytest.raises(OutcomeUnknown, match="TotalTimeout") as raised:
            connect(stack, first.host, backup.host, total_timeout=SHORT).send("+37255500000", "Your parcel is here")
        assert_error_hides_password(raised.value)
        assert (first.accepted, backup.accepted) == (1, 0)
        assert not first.exhausted.is_set()

    def test_send__slow_handshake_is_outcome_unknown(self, stack: ExitStack) -> None:
        wire = start(stack, drip_handshake)
        host = wire.host.replace("http:", "https:")
        with pytest.raises(OutcomeUnknown, match="TotalTimeout"):
            connect(stack, host, total_timeout=SHORT).send("+37255500000", "Your parcel is here")
        assert not wire.exhausted.is_set()

    @pytest.mark.parametrize("behave", DRIPS_IN_HEAD.values(), ids=DRIPS_IN_HEAD)
    def test_omnimessage_status__drip_in_head(self, stack: ExitStack, behave: Behaviour) -> None:
        wire = start(stack, behave)
        with pytest.raises(NoResponse, match="TotalTimeout"):
            connect(stack, omnichannel_url=wire.host, total_timeout=SHORT).get_omnimessage_status("1")
        assert not wire.exhausted.is_set()

    @pytest.mark.parametrize("behave", DRIPS_IN_BODY.values(), ids=DRIPS_IN_BODY)
    def test_omnimessage_status__drip_in_body(self, stack: ExitStack, behave: Behaviour) -> None:
        """The connection is ended, and with it the abandoned thread."""
        wire = start(stack, behave)
        with pytest.raises(NoResponse, match="TotalTimeout"):
            connect(stack, omnichannel_url=wire.host, total_timeout=SHORT).get_omnimessage_status("1")
        assert wire.closed.wait(PATIENCE)
        assert not wire.exhausted.is_set()

    @every_idempotent_call
    def test_idempotent_call__deadline_uses_backup(self, stack: ExitStack, endpoint: str) -> None:
        first, backup = start(stack, drip), start(stack, answering())
        CALLS[endpoint](connect(stack, first.host, backup.host, total_timeout=LONG))
        assert (first.accepted, backup.accepted) == (1, 1)
        assert not first.exhausted.is_set()

    def test_calls__three_deadlines_open_circuit(self, stack: ExitStack) -> None:
        first, backup = start(stack, drip), start(stack, answering())
        messente_client = connect(stack, first.host, backup.host, total_timeout=LONG)
        for _ in range(5):
            assert messente_client.get_balance() == 1
        assert (first.accepted, len(backup.requests)) == (3, 5)
        assert not first.exhausted.is_set()

    def test_call__new_connection_after_deadline(self, stack: ExitStack) -> None:
        wire = start(stack, dripping_at_first)
        messente_client = connect(stack, wire.host, total_timeout=LONG)
        with pytest.raises(OutcomeUnknown):
            messente_client.send("+37255500000", "Your parcel is here")
        assert messente_client.send("+37255500000", "Your parcel is here") == "1"
        assert not wire.exhausted.is_set()
        assert wire.accepted == 2

    def test_call__exception_of_signal_handler(self, stack: ExitStack) -> None:
        """The exception is raised during the exchange, and the next call uses a new connection."""

        def interrupting(wire: Wire, connection: Connection) -> None:
            if wire.accepted == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
            dripping_at_first(wire, connection)

        def interrupt(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        previous = signal.signal(signal.SIGUSR1, interrupt)
        stack.callback(signal.signal, signal.SIGUSR1, previous)
        wire = start(stack, interrupting)
        messente_client = connect(stack, wire.host, total_timeout=PATIENCE * 2)
        with pytest.raises(KeyboardInterrupt):
            messente_client.get_balance()
        assert not wire.exhausted.is_set()
        assert messente_client.get_balance() == 1

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_call__after_fork(self, stack: ExitStack) -> None:
        """The thread of the parent does not exist in the child."""
        wire = start(stack, answering())
        messente_client = connect(stack, wire.host, total_timeout=PATIENCE)
        messente_client.get_balance()
        child = os.fork()
        if child == 0:  # pragma: no cover - the child ends without writing its coverage
            try:
                os._exit(0 if messente_client.get_balance() == 1 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db(transaction=True)
class TestProject:
    def use(self, settings: Any, *hosts: Wire, seconds: float = SHORT) -> None:
        settings.MESSENTE_DLR = {
            **settings.MESSENTE_DLR,
            "SEND_API": "sms",
            "API_HOSTS": [wire.host for wire in hosts],
            "OMNICHANNEL_URL": f"{hosts[0].host}/v1",
            "TOTAL_TIMEOUT": seconds,
        }

    def test_send_sms__outcome_unknown(self, stack: ExitStack, settings: Any) -> None:
        first, backup = start(stack, drip), start(stack, answering())
        self.use(settings, first, backup)
        with pytest.raises(OutcomeUnknown) as raised:
            send_sms("+37255500000", "Your parcel is here")
        assert (first.accepted, backup.accepted) == (1, 0)
        assert not first.exhausted.is_set()
        assert raised.value.sms_message == SmsMessage.objects.get(status="queued")

    @every_drip
    def test_send_message__outcome_unknown(self, stack: ExitStack, settings: Any, behave: Behaviour) -> None:
        """A time-out of the Omnichannel API never sends twice."""
        wire, other = start(stack, behave), start(stack, answering())
        self.use(settings, wire, other)
        with pytest.raises(OutcomeUnknown, match="TotalTimeout") as raised:
            send_message("+37255500000", [Viber("Your parcel is here"), Sms("Your parcel is here")])
        assert (wire.accepted, other.accepted) == (1, 0)
        assert raised.value.sms_message == SmsMessage.objects.get(status="queued", omnimessage_id="")

    def test_poller__uses_backup(self, stack: ExitStack, settings: Any) -> None:
        first, backup = start(stack, drip), start(stack, answering(b"OK DELIVERED"))
        self.use(settings, first, backup, seconds=LONG)
        messages = [due() for _ in range(8)]
        summary = Poller(concurrency=4).run()
        assert (summary.final, summary.failed) == (8, 0)
        assert {seen(message).status for message in messages} == {"delivered"}
        assert not first.exhausted.is_set()

    def test_poller__polls_again_later(self, stack: ExitStack, settings: Any) -> None:
        wire = start(stack, drip)
        self.use(settings, wire)
        sms, omni = due(), due(omnimessage_id="an-omnimessage", sms_unique_id=None)
        summary = Poller().run()
        assert (summary.asked, summary.failed) == (2, 2)
        for message in (sms, omni):
            assert seen(message).status == "sent"
            assert seen(message).poll_count == 1
        assert SmsMessage.objects.pending().count() == 2
        assert not wire.exhausted.is_set()

    def test_poll_now__failed(self, stack: ExitStack, settings: Any) -> None:
        wire = start(stack, drip)
        self.use(settings, wire)
        (result,) = polling.poll_now([due()])
        assert result.outcome is PollOutcome.STILL_PENDING
        assert "TotalTimeout" in result.error
        assert not wire.exhausted.is_set()

    def test_sweep__keeps_credit_hold(self, stack: ExitStack, settings: Any) -> None:
        wire = start(stack, drip)
        self.use(settings, wire)
        account = AccountFactory.create(held=True)
        sweep()
        assert wire.accepted == 1
        assert not wire.exhausted.is_set()
        assert Account.objects.get(pk=account.pk).credits_exhausted_at is not None

    def test_doctor__balance(self, stack: ExitStack, settings: Any) -> None:
        wire = start(stack, drip)
        self.use(settings, wire)
        settings.MESSENTE_DLR["CALLBACK_BASE_URL"] = ""
        out = io.StringIO()
        with pytest.raises(SystemExit):
            call_command("messente_doctor", stdout=out)
        assert "TotalTimeout" in out.getvalue()
        assert not wire.exhausted.is_set()

    def test_doctor__callback_url(self, stack: ExitStack, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(callback_checks, "CALLBACK_TIMEOUTS", (SHORT / 2, SHORT / 2))
        wire = start(stack, drip)
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": wire.host}
        (finding,) = callback_checks.check_callbacks()
        assert "TotalTimeout" in finding.msg
        assert not wire.exhausted.is_set()


class TestCommand:
    """``poll_dlrs`` as a process of its own, which must end although a thread still waits for the response."""

    @pytest.fixture
    def wire(self, stack: ExitStack, tmp_path: Path) -> Wire:
        """Start a server whose response has no end, and configure it for a project with one message that is due."""
        wire = start(stack, drip)
        changes = {"API_HOSTS": [wire.host], "TOTAL_TIMEOUT": SHORT}
        (tmp_path / "drip.py").write_text(
            f"from tests.settings import *\nMESSENTE_DLR = {{**MESSENTE_DLR, **{changes!r}}}\n"
        )
        prepare = (
            "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
            "from tests.unit.polling.rows import due; due()"
        )
        run("shell", f"--command={prepare}", folder=tmp_path).check_returncode()
        return wire

    def test_poll_dlrs__ends(self, wire: Wire, tmp_path: Path) -> None:
        ended = run("poll_dlrs", folder=tmp_path, settings="drip")
        assert (ended.returncode, wire.accepted) == (1, 1)
        assert "asked 1, final 0" in ended.stdout
        assert not wire.exhausted.is_set()

    def test_poll_dlrs__sigterm_during_exchange(self, wire: Wire, tmp_path: Path) -> None:
        command = django_admin("poll_dlrs", "--watch=600")
        with subprocess.Popen(
            command, env=environment(tmp_path, "drip"), stdout=subprocess.PIPE, text=True
        ) as process:
            assert wire.dripping.wait(PATIENCE)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        assert wire.accepted == 1
        assert not wire.exhausted.is_set()
