"""The day itself: processes send, the sandbox tells, workers die and come again, and at the end somebody asks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.utils import timezone

from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from tests.integration.processes.web import ROOT, Web, wait_until
from tests.soak.plan import Planned

SENDERS = 2
SECOND = timedelta(seconds=1)
# Longer than any callback and its five retries take; a day on which so long nothing happens has come to a halt.
HALT = 90.0  # seconds
# So much is told between one death and the next, so that on a busy machine workers do more than come up and die.
TOLD_BETWEEN_DEATHS = 20
AN_HOUR = 3600.0
# A report that a worker dispatched so long before its death was marked as dispatched, on a busy machine too.
MARKED_WITHIN = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is known of a day from outside.

    Attributes:
        planned: what was to be sent.
        messages: what the sandbox accepted.
        attempts: the callbacks that it made.
        deaths: the workers that were killed, by their process ids.
        heard: how often each signal was heard for each report's primary key.
        cut_short: the primary keys of the reports whose teller died before it must have noted that.
        seconds: how long it took.
    """

    planned: Sequence[Planned]
    messages: Sequence[SandboxMessage]
    attempts: Sequence[CallbackAttempt]
    deaths: Sequence[int]
    heard: Counter[tuple[str, str]]
    cut_short: Collection[str]
    seconds: float


def live(planned: Sequence[Planned], *, database: str, folder: Path, kill_every: float) -> Day:
    """Send what is planned, have it told, kill a worker now and then, and finish what that has left undone.

    Args:
        planned: what to send.
        database: the ``DATABASE_URL`` of an empty database.
        folder: where processes write.
        kill_every: seconds from one death to the next.
    """
    began = time.monotonic()
    with (
        Sandbox({"shop": "a-password"}, delay=0.2, retry_delay=2.0) as messente,
        Web(folder, database, messente=messente.url, preload=True) as web,
        ThreadPoolExecutor(SENDERS + 1) as pool,
    ):
        ended = threading.Event()
        deaths = pool.submit(_kill, web, messente, every=kill_every, ended=ended)
        try:
            shares = [planned[number::SENDERS] for number in range(SENDERS)]
            lists = [[(message.recipient, message.stranger) for message in share] for share in shares]
            senders = [pool.submit(_run, web, "send", told, folder / f"send-{n}") for n, told in enumerate(lists)]
            strangers = [stranger for sender in senders for stranger in sender.result()]
            _wait_until_told(messente)
        finally:
            ended.set()
        died = deaths.result()
        _run(web, "track", strangers, folder / "track")
        # Time passes: what waits for another report is noted, and the leases of those who died run out.
        time.sleep(MARKED_WITHIN)
        DeliveryReport.objects.undispatched().update(dispatch_due_at=timezone.now() - SECOND)
        web.manage("poll_dlrs", "--verbosity=0", timeout=AN_HOUR)
        return Day(
            planned=planned,
            messages=messente.messages,
            attempts=messente.callbacks,
            deaths=died,
            heard=web.count_signals(),
            cut_short=set().union(*(web.last_signalled(pid, MARKED_WITHIN) for pid in died)),
            seconds=time.monotonic() - began,
        )


def _run(web: Web, verb: str, told: Sequence[object], file: Path) -> list[tuple[str, str]]:
    """Run the sender in a process of its own; return what it prints."""
    file.write_text(json.dumps(told))
    command = [sys.executable, "-m", "tests.soak.sender", verb, str(file)]
    sender = subprocess.run(
        command, cwd=ROOT, env=web.environment, capture_output=True, text=True, timeout=AN_HOUR, check=False
    )
    assert sender.returncode == 0, sender.stderr[-3000:]
    left: list[tuple[str, str]] = json.loads(sender.stdout)
    return left


def _kill(web: Web, messente: Sandbox, *, every: float, ended: threading.Event) -> list[int]:
    """Kill one worker after the other, while there is something to tell; return who has died."""
    deaths: list[int] = []
    while not ended.wait(every if deaths else 0):
        wait_until(partial(_enough_is_told, messente, ended, seen=len(messente.callbacks)), timeout=AN_HOUR)
        if not ended.is_set() and (killed := web.kill_a_worker()) is not None:
            deaths.append(killed)
    return deaths


def _enough_is_told(messente: Sandbox, ended: threading.Event, *, seen: int) -> bool:
    """Tell whether enough callbacks were answered 200 since so many had been made, or there are no more to come."""
    return ended.is_set() or sum(told.ok for told in messente.callbacks[seen:]) >= TOLD_BETWEEN_DEATHS


def _wait_until_told(messente: Sandbox) -> None:
    """Wait until all is told, however long that takes, as long as anything is told at all."""
    told = -1
    while not messente.wait_until_idle(HALT):
        assert len(messente.callbacks) > told, "Nothing is told any more, but the sandbox is not idle."
        told = len(messente.callbacks)
