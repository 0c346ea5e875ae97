"""A night of the queue: workers send, are killed and started again, and Messente and the database restart."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from django.utils import timezone

from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sending import queue_many
from tests.integration.processes.web import Web
from tests.soak.queue.interrupted import Messente, Workers, crash_database, keep_commits, retried

# The last digits of numbers: no callbacks, and an answer that comes too late.
WITHOUT_CALLBACK, LATE_ANSWER = "143", "250"
LATE_ANSWER_EVERY = 200
# Without this limit, workers on a busy machine only start and are killed.
MESSAGES_BETWEEN_KILLS = 30
STALLED_AFTER = 600.0  # seconds without a new message at Messente


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What kind of night it is.

    Attributes:
        messages: the number of messages.
        workers: the number of processes with ``send_queued --watch``.
        rate: the requests per second of each.
        bulk: whether they send in bulk.
        kill_every: the seconds between two kills of a worker.
        restart_every: the seconds between two restarts of the local Messente.
        crash_database_every: the seconds between two crashes of the database server; None for no crash.
        lease: the seconds of ``QUEUE_LEASE``.
        seed: determines what is killed.
    """

    messages: int
    workers: int
    rate: float
    bulk: bool
    kill_every: float
    restart_every: float
    crash_database_every: float | None
    lease: float
    seed: int

    @property
    def lost_answers(self) -> int:
        """The number of messages whose answer is later than a worker waits."""
        return 0 if self.bulk else -(-self.messages // LATE_ANSWER_EVERY)

    def number(self, index: int) -> str:
        """Return the recipient of a message."""
        is_late = not self.bulk and index % LATE_ANSWER_EVERY == 0
        return f"+3725{index:06}{LATE_ANSWER if is_late else WITHOUT_CALLBACK}"


@dataclass(slots=True, kw_only=True)
class Night:
    """What a night did, as seen from outside the package.

    Attributes:
        options: what kind of night it was.
        accepted: the number of messages that Messente accepted, by recipient.
        killed: the process ids of the workers that were killed.
        restarts: the number of restarts of Messente.
        crashes: the number of crashes of the database server.
        seconds: the duration.
        notes: the lines of the log about messages that were sent twice.
    """

    options: Options
    accepted: Counter[str] = field(default_factory=Counter)
    killed: list[int] = field(default_factory=list)
    restarts: int = 0
    crashes: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.options.messages} messages{' in bulk' if self.options.bulk else ''}, {self.options.workers} "
            f"workers, {self.seconds:.0f} s; {len(self.killed)} kills, {self.restarts} restarts of Messente, "
            f"{self.crashes} crashes of the database"
        )


def live(options: Options, *, database: str, folder: Path) -> Night:
    """Queue the messages, and interrupt their sending until none waits.

    Args:
        options: what kind of night it is.
        database: the ``DATABASE_URL`` of an empty database.
        folder: the directory for the files of the processes.
    """
    started, night, chance = time.monotonic(), Night(options=options), random.Random(options.seed)
    messente = Messente()
    web = Web(folder, database, messente=messente.url, send_api="omnichannel" if options.bulk else "sms")
    web.environment |= {"DLR_QUEUE_LEASE": str(options.lease), "DLR_QUEUE_BULK": "1" if options.bulk else ""}
    workers = Workers(web, count=options.workers, rate=options.rate)
    api = {"channels": [{"channel": "sms", "text": "Tere"}]} if options.bulk else {"text": "Tere"}
    queue_many({"to": options.number(index), **api} for index in range(options.messages))
    if options.crash_database_every:
        keep_commits()
    # Seconds from the start at which each of them happens next.
    next_kill, next_restart = options.kill_every, options.restart_every
    next_crash = options.crash_database_every or float("inf")
    begun, last_accepted, accepted_at = time.monotonic(), 0, time.monotonic()
    accepted_at_kill = 0
    try:
        while retried(waiting_or_sent):
            workers.start_missing()
            time.sleep(0.2)
            now, accepted = time.monotonic() - begun, messente.count
            if accepted > last_accepted:
                last_accepted, accepted_at = accepted, time.monotonic()
            assert time.monotonic() - accepted_at < STALLED_AFTER, web.log.read_text()[-3000:]
            if now >= next_kill and accepted - accepted_at_kill >= MESSAGES_BETWEEN_KILLS:
                night.killed.append(workers.kill_one(chance))
                next_kill, accepted_at_kill = now + options.kill_every * chance.uniform(0.3, 1.7), accepted
            if now >= next_restart:
                messente.restart()
                next_restart = now + options.restart_every * chance.uniform(0.5, 1.5)
            if now >= next_crash:
                night.crashes += crash_database()
                next_crash = now + (options.crash_database_every or 0.0) * chance.uniform(0.5, 1.5)
    finally:
        workers.stop()
        messente.stop()
        web.close()
    night.accepted, night.restarts = messente.accepted, messente.restarts
    night.seconds = time.monotonic() - started
    night.notes = lines_about([number for number, times in night.accepted.items() if times > 1], web.log)
    return night


def lines_about(numbers: list[str], log: Path) -> list[str]:
    """Return the rows of the messages to some numbers, and the lines of the workers' log about them."""
    messages = list(SmsMessage.objects.filter(recipient__in=numbers))
    keys = re.compile(rf"\b[Mm]essage ({'|'.join(str(message.pk) for message in messages)})\b")
    rows = [f"{message.recipient}: message {message.pk}, {message.status}, {message.send_at}" for message in messages]
    return rows + [line for line in log.read_text().splitlines() if keys.search(line)] if messages else []


def waiting_or_sent() -> bool:
    """Return whether messages wait, are claimed, or are being sent: whether any outcome can still change."""
    now = timezone.now()
    return bool(
        QueuedMessage.objects.filter(attempted_at=None).exists() or QueuedMessage.objects.attempted(now).exists()
    )
