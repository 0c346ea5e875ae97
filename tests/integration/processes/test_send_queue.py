"""Several workers, and SIGKILL at every step of sending: no message is sent twice, and none is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import queue_many
from tests.integration.processes.web import ROOT, Web, wait_until

# At each step: whether Messente may have messages whose outcome is unknown, and whether any outcome is unknown.
STEPS = {
    "after the claim": (False, False),
    "in the commit of the attempt": (False, False),
    "before the request": (False, True),
    "after the answer": (True, True),
    "in the commit of the result": (True, True),
}
WORKERS = {"postgresql": 8, "mysql": 4, "sqlite": 2}
CONCURRENCY = 2
# The sandbox sends no callbacks about numbers that end so: no server answers them here.
WITHOUT_CALLBACK = "143"


def queue(count: int) -> None:
    queue_many({"to": f"+3725{number:06}{WITHOUT_CALLBACK}", "text": "Tere"} for number in range(count))


def end_leases() -> None:
    """Simulate the end of the leases of dead workers."""
    QueuedMessage.objects.exclude(leased_until=None).update(leased_until=timezone.now() - timedelta(seconds=1))


def check_all(sandbox: Sandbox, count: int) -> int:
    """Check that each message was sent once, or has an unknown outcome; return the number of the latter."""
    received = Counter(message.recipient for message in sandbox.messages)
    assert not received or max(received.values()) == 1
    unknown = QueuedMessage.objects.unknown(timezone.now())
    assert QueuedMessage.objects.count() == unknown.count()
    sent = SmsMessage.objects.filter(status="sent")
    assert set(sent.values_list("recipient", flat=True)) <= {with_plus(number) for number in received}
    assert sent.count() + unknown.count() == count
    # What the workers left can be polled, and nothing is polled that was not sent.
    assert PendingPoll.objects.count() == count
    return unknown.count()


def with_plus(number: str) -> str:
    return number if number.startswith("+") else f"+{number}"


@pytest.mark.parametrize("is_bulk", [False, True], ids=["one by one", "bulk"])
@pytest.mark.parametrize("step", STEPS)
def test_send_queued__killed_at_a_step(
    database: str, messente_sandbox: Sandbox, tmp_path: Path, *, step: str, is_bulk: bool
) -> None:
    queue(6)
    api = "omnichannel" if is_bulk else "sms"
    web = Web(tmp_path, database, messente=messente_sandbox.url, die_at=step, send_api=api)
    web.environment["DLR_QUEUE_BULK"] = "1" if is_bulk else ""
    QueuedMessage.objects.update(content={**QueuedMessage.objects.earliest("pk").content, "api": api})
    command = ["send_queued", f"--concurrency={CONCURRENCY}"]
    assert web.manage(*command, check=False).returncode == -signal.SIGKILL
    may_be_sent, may_be_unknown = STEPS[step]
    if not may_be_sent:
        assert QueuedMessage.objects.count() == 6
    # The dead worker's messages are not claimed before the end of its lease.
    assert not QueuedMessage.objects.due(timezone.now()).filter(pk__in=claimed_keys()).exists()
    end_leases()
    web.manage(*command)
    web.close()
    unknown = check_all(messente_sandbox, 6)
    assert bool(unknown) is may_be_unknown
    assert unknown <= (6 if is_bulk else CONCURRENCY)


def claimed_keys() -> list[int]:
    return list(QueuedMessage.objects.exclude(leased_until=None).values_list("pk", flat=True))


@contextmanager
def workers(web: Web, count: int, *arguments: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run processes with ``send_queued``, and kill those that have not ended."""
    command = [sys.executable, "-m", "django", "send_queued", *arguments]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=web.environment, stdout=subprocess.DEVNULL) for _ in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait(60)


def messages_to_send() -> int:
    return int(os.environ.get("DLR_QUEUED", "100" if connection.vendor == "sqlite" else "300"))


def test_send_queued__several_workers(database: str, messente_sandbox: Sandbox, tmp_path: Path) -> None:
    count = messages_to_send()
    queue(count)
    web = Web(tmp_path, database, messente=messente_sandbox.url)
    with workers(web, WORKERS[connection.vendor]) as processes:
        assert [process.wait(600) for process in processes] == [0] * len(processes)
    web.close()
    assert check_all(messente_sandbox, count) == 0


def test_send_queued__workers_are_killed_at_random(database: str, messente_sandbox: Sandbox, tmp_path: Path) -> None:
    count = messages_to_send()
    queue(count)
    web = Web(tmp_path, database, messente=messente_sandbox.url)
    kills, moment = 0, random.Random(count)
    for _ in range(8):
        with workers(web, WORKERS[connection.vendor], "--rate=50") as processes:
            wait_until(lambda: not_begun() < count or not QueuedMessage.objects.exists())
            time.sleep(moment.uniform(0.1, 1.5))
            victims = [process for process in processes if process.poll() is None]
            kills += len(victims)
        end_leases()
    web.manage("send_queued")
    web.close()
    unknown = check_all(messente_sandbox, count)
    assert kills
    assert unknown <= kills * 16


def not_begun() -> int:
    """Return the number of messages that no worker has begun to send."""
    return QueuedMessage.objects.filter(attempted_at=None).count()


def test_send_queued__signal_ends_it_soon(database: str, messente_sandbox: Sandbox, tmp_path: Path) -> None:
    queue(400)
    web = Web(tmp_path, database, messente=messente_sandbox.url)
    with workers(web, 1, "--rate=20") as [worker]:
        wait_until(lambda: not_begun() < 395)
        started = time.monotonic()
        worker.terminate()
        assert worker.wait(30) == 0
        assert time.monotonic() - started < 10
    assert QueuedMessage.objects.filter(leased_until=None, attempted_at=None).count() == QueuedMessage.objects.count()
    assert SmsMessage.objects.filter(status="sent").count() == len(messente_sandbox.messages)
    web.manage("send_queued")
    web.close()
    assert check_all(messente_sandbox, 400) == 0
