"""The `QueueWorker`: send all queued messages that are due, with several requests at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from queue import SimpleQueue

from django.db import InterfaceError, OperationalError, connections, router

from django_messente_dlr import conf
from django_messente_dlr.accounts.clients import REFUSED_ACCOUNT_PAUSE
from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.sending.queue.backlog import Backlog
from django_messente_dlr.sending.queue.requests import Answer, Item, Sender
from django_messente_dlr.sending.queue.results import MAX_BATCH, SendOutcome, record_all
from django_messente_dlr.sending.queue.summary import QueueSummary
from django_messente_dlr.utils.rate_limiter import RateLimiter, RequestSkipped

logger = logging.getLogger(__name__)

# Seconds for which a worker tries to record answers while the database is away. Without the record, the outcome of
# the messages is unknown.
RECORD_PATIENCE = 60.0

Running = dict[Future[list[Answer]], list[Item]]


class QueueWorker:
    """Send the queued messages that are due.

    Args:
        account_names: the accounts to send from; None for all that are configured.
        concurrency: the number of threads that send requests; None for ``QUEUE_CONCURRENCY``.
        rate: the requests per second of all threads together; None for ``QUEUE_RATE``.
        limit: the greatest number of messages to send in one run; None for all that are due.
        message_pk: the only message to send, if it is due; None for all.
        stop: ends a run when it is set. Answers to requests under way are recorded; other claims are released.
        progress: is called with the number of messages whose answers were recorded.

    Raises:
        ImproperlyConfigured: an account of ``account_names`` is not configured.
    """

    def __init__(
        self,
        *,
        account_names: Iterable[str] | None = None,
        concurrency: int | None = None,
        rate: float | None = None,
        limit: int | None = None,
        message_pk: int | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        config = conf.get_config()
        names = config.accounts if account_names is None else [conf.account(name).name for name in account_names]
        self._accounts = sorted(set(names))
        self._concurrency = concurrency or config.queue_concurrency
        self._limit = limit
        self._message_pk = message_pk
        self._lease = timedelta(seconds=config.queue_lease)
        self._progress = progress
        # Kept between runs: a pause that Messente requested may last longer than the run that received it.
        self._stop = stop or threading.Event()
        self._rate_limiter = RateLimiter(rate or config.queue_rate, stop=self._stop)
        # Accounts that Messente refused, also kept between runs: until when nothing is sent from them, and why.
        self._refused: dict[str, tuple[float, str]] = {}
        self.summary = QueueSummary()

    def run(self) -> QueueSummary:
        """Send all messages that are due, also those that become due meanwhile; return the numbers of this run."""
        self.summary = QueueSummary()
        sender = Sender(self._rate_limiter)
        sender.refused = {name: error for name, (until, error) in self._refused.items() if time.monotonic() < until}
        backlog = Backlog(
            self._accounts, sender=sender, lease=self._lease, limit=self._limit, message_pk=self._message_pk
        )
        try:
            self._send(backlog, sender)
        finally:
            backlog.release()
        for name, error in sender.refused.items():
            self._refused[name] = (time.monotonic() + REFUSED_ACCOUNT_PAUSE.total_seconds(), error)
        self.summary.stopped = dict(sender.refused)
        self.summary.held = sorted(backlog.paused)
        return self.summary

    def _send(self, backlog: Backlog, sender: Sender) -> None:
        done: SimpleQueue[Future[list[Answer]]] = SimpleQueue()
        running: Running = {}
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="messente-send")
        try:
            while True:
                # Just before their requests, so that few outcomes are unknown after a crash.
                for items in backlog.attempt(self._concurrency - len(running)):
                    future = pool.submit(sender.send, items)
                    running[future] = items
                    future.add_done_callback(done.put)
                if running:
                    self._record(_finished(done, running))
                elif backlog.is_empty:
                    break
                else:
                    self._stop.wait(self._rate_limiter.pause_left)
        finally:
            pool.shutdown(cancel_futures=True)
            if running:
                self._record(_finished(done, running, all_of_them=True))

    def _record(self, answers: list[tuple[Item, Answer]]) -> None:
        """Record answers. While the database is away, try again, so that their outcomes do not become unknown."""
        connection = connections[router.db_for_write(QueuedMessage)]
        give_up_at = time.monotonic() + RECORD_PATIENCE
        while True:
            try:
                outcomes = record_all(answers)
            except (OperationalError, InterfaceError):
                if connection.in_atomic_block or time.monotonic() > give_up_at:
                    raise
                logger.warning("The answers about %s messages could not be recorded yet.", len(answers))
                connection.close()
                time.sleep(1.0)
            else:
                break
        self.summary.count(outcomes)
        if self._progress:
            self._progress(sum(outcome is not SendOutcome.NOT_REQUESTED for outcome in outcomes))


def _finished(
    done: SimpleQueue[Future[list[Answer]]], running: Running, *, all_of_them: bool = False
) -> list[tuple[Item, Answer]]:
    """Wait for a request to end; return its messages with their answers, and those of others that have ended, too.

    Args:
        done: the requests that have ended.
        running: all requests. Those that are returned are removed.
        all_of_them: whether to return all. They must have ended.
    """
    futures = list(running) if all_of_them else [done.get()]
    answers = list[tuple[Item, Answer]]()
    while futures:
        future = futures.pop()
        items = running.pop(future)
        result = [RequestSkipped("The run was stopped.", again_in=0.0)] * len(items)
        answers += zip(items, result if future.cancelled() else future.result(), strict=True)
        if not all_of_them and len(answers) < MAX_BATCH and not done.empty():
            futures.append(done.get())
    return answers
