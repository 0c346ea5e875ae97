"""``send_queued``: the output, the exit status, and the end on a signal of the system."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from django_messente_dlr.backends import locmem
from django_messente_dlr.exceptions import MessageNotSent, OutcomeUnknown
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sending import queue_many, queue_sms
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"


@pytest.fixture(autouse=True)
def outbox(settings: Any) -> list[Any]:
    """Send to the list in memory."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": "django_messente_dlr.backends.locmem.Backend"}
    locmem.outbox.clear()
    return locmem.outbox


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("send_queued", *arguments, stdout=out)
    return out.getvalue()


def queue(count: int = 1) -> None:
    queue_many({"to": NUMBER, "text": f"Tere {number}"} for number in range(count))


def test_send_queued__sends_what_is_due() -> None:
    queue(2)
    assert run() == "sent 2, refused 0, failed 0, postponed 0, unknown 0; no message waits\n"
    assert SmsMessage.objects.filter(status="sent").count() == 2
    assert run("--verbosity=0") == ""


def test_json__has_the_numbers_and_what_waits() -> None:
    queue(3)
    at = timezone.now() + timedelta(hours=1)
    queue_sms(NUMBER, "Tere", not_before=at)
    QueuedMessage.objects.filter(due_at__gt=timezone.now()).update(due_at=at)
    assert json.loads(run("--json", "--limit=2")) == {
        "sent": 2,
        "refused": 0,
        "failed": 0,
        "postponed": 0,
        "unknown": 0,
        "stopped": {},
        "held": [],
        "waiting": 2,
        "next_due_at": mock.ANY,
    }


def test_dry_run__sends_nothing(outbox: list[Any]) -> None:
    queue(2)
    AccountFactory.create(name="held", credits_exhausted_at=timezone.now())
    QueuedMessage.objects.filter(pk=SmsMessage.objects.earliest("pk").pk).update(account="held")
    assert json.loads(run("--dry-run", "--json")) == {
        "due": {"default": 1},
        "unsendable": 1,
        "next_due_at": mock.ANY,
    }
    assert "would send 1 messages (default 1); 1 cannot be sent (an account on credit hold" in run("--dry-run")
    assert outbox == []
    assert QueuedMessage.objects.filter(leased_until=None).count() == 2


def test_account__selects_messages(settings: Any, outbox: list[Any]) -> None:
    accounts = {name: {"USERNAME": "u", "PASSWORD": name} for name in ("default", "other")}
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": accounts}
    queue()
    queue_sms(NUMBER, "other", account="other")
    assert run("--account=other") == "sent 1, refused 0, failed 0, postponed 0, unknown 0; no message waits\n"
    assert [message.account for message in outbox] == ["other"]
    with pytest.raises(CommandError, match="no account 'other-shop'") as misconfigured:
        run("--account=other-shop")
    assert misconfigured.value.returncode == 2


def test_hold__is_reported() -> None:
    AccountFactory.create(name="default", credits_exhausted_at=timezone.now())
    queue()
    assert "account default is on credit hold" in run()
    assert QueuedMessage.objects.waiting(timezone.now()).count() == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(MessageNotSent("busy", temporary=True), 1), (OutcomeUnknown("no answer"), 1), (MessageNotSent("no"), 0)],
)
def test_send_queued__exit_status_of_messages(error: Exception, status: int) -> None:
    queue()
    with mock.patch.object(locmem.Backend, "accept", side_effect=error):
        if status:
            with pytest.raises(CommandError, match="the log has the reasons") as raised:
                run()
            assert raised.value.returncode == status
        else:
            assert run().startswith("sent 0, refused 1")


def test_send_queued__exit_status_of_the_whole_run(settings: Any) -> None:
    with (
        mock.patch.object(QueueWorker, "run", side_effect=OperationalError("server closed")),
        pytest.raises(CommandError, match="cannot be used: server closed") as no_database,
    ):
        run()
    assert no_database.value.returncode == 3
    settings.MESSENTE_DLR = {"QUEUE_BULK": 5}
    with pytest.raises(CommandError, match="QUEUE_BULK must be True or False") as misconfigured:
        run()
    assert misconfigured.value.returncode == 2


def test_watch__until_signal(outbox: list[Any]) -> None:
    queue(3)

    def accept(self: object, message: Any, result: Any) -> None:
        outbox.append(message)
        if len(outbox) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    with mock.patch.object(locmem.Backend, "accept", accept):
        output = run("--watch=0.01", "--json")
    assert [json.loads(line)["sent"] for line in output.splitlines()] == [3]
    assert signal.getsignal(signal.SIGTERM) == handler
