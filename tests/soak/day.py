"""Run a day: processes send, the sandbox reports, workers are killed and restarted, and finally the poller runs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
from tests.soak.plan import SHARES, Planned, Shares, plan

SENDERS = 2
SECOND = timedelta(seconds=1)
# Longer than a callback and its five retries take: without a callback for so long, the day fails.
STALLED_AFTER = 90.0  # seconds
# The callbacks answered between two kills. Without this limit, workers on a busy machine only start and are killed.
CALLBACKS_BETWEEN_KILLS = 20
AN_HOUR = 3600.0  # seconds
# A report that a worker dispatched so long before it was killed is marked as dispatched, also on a busy machine.
MARKED_WITHIN = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What kind of day it is.

    Attributes:
        messages: the number of messages, a multiple of 100.
        api: "sms" or "omnichannel".
        order: one of `tests.soak.plan.ORDERS`.
        isolation: the isolation level of the database, such as "serializable"; "" for its default.
        kill_every: the seconds between two kills of a worker.
        seed: determines the order of the messages, if it is shuffled.
    """

    messages: int
    api: str = "sms"
    order: str = "shuffled"
    isolation: str = ""
    kill_every: float = 5.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day did, as seen from outside the package.

    Attributes:
        options: what kind of day it was.
        planned: the messages to send.
        messages: the messages that the sandbox accepted, one for each channel.
        accepted: the number of messages that the sandbox accepted, by recipient.
        attempts: the callback attempts of the sandbox.
        killed: the process ids of the workers that were killed.
        signals: the number of times that each signal was received, by signal name and primary key of the report.
        cut_short: the primary keys of the reports that a worker dispatched shortly before it was killed, so that
            it may not have marked them as dispatched.
        seconds: the duration.
    """

    options: Options
    planned: Sequence[Planned]
    messages: Sequence[SandboxMessage]
    accepted: Mapping[str, int]
    attempts: Sequence[CallbackAttempt]
    killed: Sequence[int]
    signals: Counter[tuple[str, str]]
    cut_short: Collection[str]
    seconds: float

    @property
    def shares(self) -> Shares:
        return SHARES[self.options.api]

    def id_of(self, message: SandboxMessage) -> str:
        """Return the id of the row for a channel's message: it stands for all channels of an omnimessage."""
        return message.omnimessage_id or message.message_id


def live(options: Options, *, database: str, folder: Path) -> Day:
    """Send the planned messages, kill workers while the sandbox reports, and poll for the reports that are missing.

    Args:
        options: what kind of day it is.
        database: the ``DATABASE_URL`` of an empty database.
        folder: the directory for the files of the processes.
    """
    started = time.monotonic()
    planned = plan(options.messages, api=options.api, order=options.order, seed=options.seed)
    simultaneous = options.order == "simultaneous"
    with (
        Sandbox({"shop": "a-password"}, delay=0.2, simultaneous=simultaneous, retry_delay=2.0) as messente,
        Web(
            folder,
            database,
            messente=messente.url,
            send_api=options.api,
            isolation=options.isolation,
            preload=True,
        ) as web,
        ThreadPoolExecutor(SENDERS + 1) as pool,
    ):
        ended = threading.Event()
        killer = pool.submit(_kill_workers, web, messente, every=options.kill_every, ended=ended)
        try:
            shares = [planned[number::SENDERS] for number in range(SENDERS)]
            inputs = [[(item.recipient, item.external, item.channels) for item in share] for share in shares]
            senders = [
                pool.submit(_run_sender, web, "send", items, folder / f"send-{number}")
                for number, items in enumerate(inputs)
            ]
            untracked = [message for sender in senders for message in sender.result()]
            _wait_for_callbacks(messente)
        finally:
            ended.set()
        killed = killer.result()
        _run_sender(web, "track", untracked, folder / "track")
        # Wait until dispatched reports are marked, then end the leases of the killed workers.
        time.sleep(MARKED_WITHIN)
        DeliveryReport.objects.undispatched().update(dispatch_due_at=timezone.now() - SECOND)
        web.manage("poll_dlrs", "--verbosity=0", timeout=AN_HOUR)
        return Day(
            options=options,
            planned=planned,
            messages=messente.messages,
            accepted=messente.accepted,
            attempts=messente.callbacks,
            killed=killed,
            signals=web.count_signals(),
            cut_short=set().union(*(web.last_signalled(pid, MARKED_WITHIN) for pid in killed)),
            seconds=time.monotonic() - started,
        )


def _run_sender(web: Web, verb: str, items: Sequence[object], file: Path) -> list[object]:
    """Run ``tests.soak.sender`` in a process of its own, and return the list that it prints."""
    file.write_text(json.dumps(items))
    command = [sys.executable, "-m", "tests.soak.sender", verb, str(file)]
    sender = subprocess.run(
        command, cwd=ROOT, env=web.environment, capture_output=True, text=True, timeout=AN_HOUR, check=False
    )
    assert sender.returncode == 0, sender.stderr[-3000:]
    untracked: list[object] = json.loads(sender.stdout)
    return untracked


def _kill_workers(web: Web, messente: Sandbox, *, every: float, ended: threading.Event) -> list[int]:
    """Kill one worker after another until ``ended`` is set, and return their process ids."""
    killed: list[int] = []
    while not ended.wait(every if killed else 0):
        wait_until(partial(_has_enough_callbacks, messente, ended, seen=len(messente.callbacks)), timeout=AN_HOUR)
        if not ended.is_set() and (pid := web.kill_a_worker()) is not None:
            killed.append(pid)
    return killed


def _has_enough_callbacks(messente: Sandbox, ended: threading.Event, *, seen: int) -> bool:
    """Return whether enough callbacks after the first ``seen`` were answered with 200, or ``ended`` is set."""
    return ended.is_set() or sum(attempt.ok for attempt in messente.callbacks[seen:]) >= CALLBACKS_BETWEEN_KILLS


def _wait_for_callbacks(messente: Sandbox) -> None:
    """Wait until the sandbox is idle, without a limit as long as it sends callbacks."""
    count = -1
    while not messente.wait_until_idle(STALLED_AFTER):
        assert len(messente.callbacks) > count, "The sandbox is not idle, but sends no more callbacks."
        count = len(messente.callbacks)
