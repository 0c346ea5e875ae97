"""The `Poller`: poll Messente for all messages that are due, with several requests at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from queue import SimpleQueue

from django.db import Error, IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import accounts, conf, receiving
from django_messente_dlr.accounts.clients import REFUSED_ACCOUNT_PAUSE
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling.claims import Claims
from django_messente_dlr.polling.results import PollOutcome, PollResult, postpone, save_schedule
from django_messente_dlr.polling.status_requests import StatusFetcher, StatusRequest
from django_messente_dlr.polling.status_responses import process_response
from django_messente_dlr.polling.summary import Summary
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.rate_limiter import RateLimiter, RequestSkipped

# Seconds between the sweeps of one run.
SWEEP_INTERVAL = 60.0
# The greatest number of responses in one transaction: other writers wait for its rows.
MAX_BATCH = 50

Response = tuple[StatusRequest, Future[list[Report | None]]]


class Poller:
    """Poll Messente for the messages that are due.

    Args:
        account_names: the accounts to poll; None for all that are configured.
        batch_size: the number of messages in one claim; None for ``POLL_BATCH_SIZE``.
        concurrency: the number of threads that send requests; None for ``POLL_CONCURRENCY``.
        rate: the requests per second of all threads together; None for ``POLL_RATE``.
        limit: the greatest number of messages to poll in one run; None for all that are due.
        stop: ends a run when it is set. Responses of requests under way are recorded; other claims are released.
        progress: is called with the number of messages of each response that was recorded.

    Raises:
        ImproperlyConfigured: an account of ``account_names`` is not configured.
    """

    def __init__(
        self,
        *,
        account_names: Iterable[str] | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        rate: float | None = None,
        limit: int | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        config = conf.get_config()
        names = None if account_names is None else {conf.account(name).name for name in account_names}
        self._account_names = names
        self._accounts = set(config.accounts) if names is None else names
        self._batch_size = batch_size or config.poll_batch_size
        self._concurrency = concurrency or config.poll_concurrency
        self._limit = limit
        self._lease = timedelta(seconds=config.poll_lease)
        self._progress = progress
        # Kept between runs: a pause that Messente requested may last longer than the run that received it.
        self._stop = stop or threading.Event()
        self._rate_limiter = RateLimiter(rate or config.poll_rate, stop=self._stop)
        # Accounts that Messente refused, also kept between runs: until when they are not polled, and why.
        self._refused: dict[str, tuple[float, str]] = {}
        self.summary = Summary()

    def run(self, *, sweeping: bool = True) -> Summary:
        """Poll all messages that are due now, and return the numbers of this run.

        Args:
            sweeping: whether to call `sweep` too, at the end and during a long run.
        """
        self.summary = Summary()
        started = timezone.now()
        fetcher = StatusFetcher(self._rate_limiter)
        for name, (until, error) in self._refused.items():
            if time.monotonic() < until:
                fetcher.refused.add(name)
                self.summary.stopped[name] = error
        self._poll(fetcher, now=started, sweeping=sweeping)
        for name in self._accounts - fetcher.refused:
            # Without a request the stored error stays: refused messages are not due before their claim expires.
            is_well = name in fetcher.served or not lookup.pending().filter(account=name).exists()
            accounts.record_poll(name, now=started, error="" if is_well else None)
        if sweeping:
            self._sweep()
        return self.summary

    def _poll(self, fetcher: StatusFetcher, *, now: datetime, sweeping: bool) -> None:
        claims = Claims(
            fetcher,
            account_names=self._account_names,
            batch_size=self._batch_size,
            lease=self._lease,
            limit=self._limit,
            on_unpollable=self.summary.count,
        )
        done: SimpleQueue[Future[list[Report | None]]] = SimpleQueue()
        running: dict[Future[list[Report | None]], StatusRequest] = {}
        requests = claims(now)
        sweep_at = time.monotonic() + SWEEP_INTERVAL
        # As many requests again wait for a thread, so that no thread waits while this one writes.
        max_running, skipped = 2 * self._concurrency, 0
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="messente-poll")
        try:
            while True:
                while len(running) < max_running and skipped <= self._batch_size + max_running:
                    if (request := next(requests, None)) is None:
                        break
                    future = pool.submit(fetcher.fetch, request)
                    running[future] = request
                    future.add_done_callback(done.put)
                if not running:
                    break
                ready = [done.get()]
                while len(ready) < MAX_BATCH and not done.empty():
                    ready.append(done.get())
                was_sent = self._process([(running.pop(future), future) for future in ready], fetcher=fetcher)
                # If no request of a whole batch could be sent, those of the other messages cannot be sent either.
                skipped = 0 if was_sent else skipped + len(ready)
                if sweeping and time.monotonic() >= sweep_at:
                    self._sweep()
                    sweep_at = time.monotonic() + SWEEP_INTERVAL
        finally:
            pool.shutdown(cancel_futures=True)
        stopped = RequestSkipped("The run was stopped.", again_in=0.0)
        unpolled = [message for request in claims.discard() for message in request.messages]
        self.summary.count(postpone(unpolled, stopped, now=timezone.now()))

    def _process(self, responses: list[Response], *, fetcher: StatusFetcher) -> bool:
        """Write the results of responses; return whether any of their requests was sent."""
        using = router.db_for_write(SmsMessage)
        if len(responses) == 1:
            write = partial(_write_one, responses, using=using, fetcher=fetcher)
            try:
                results = db_retry.retry_on_contention(write, using=using)
            except IntegrityError:  # the message was deleted during the write; the second attempt finds no message
                results = db_retry.retry_on_contention(write, using=using)
        else:
            try:
                # One commit for all that are ready: the database waits for the disk at every commit.
                results = _write(responses, receiving.atomic_batch(using), fetcher=fetcher)
            except Error:  # such as a deadlock, which rolls back the batch: each response gets its own transaction
                were_sent = [self._process([response], fetcher=fetcher) for response in responses]
                return any(were_sent)
        for (request, _), request_results in zip(responses, results, strict=True):
            self.summary.count_request(request_results)
            for result in request_results:
                if result.outcome is not PollOutcome.NOT_ASKED and not result.error:
                    fetcher.served.add(request.account)
                if result.outcome is PollOutcome.REFUSED:
                    self.summary.stopped.setdefault(request.account, result.error)
                    refused_until = time.monotonic() + REFUSED_ACCOUNT_PAUSE.total_seconds()
                    self._refused[request.account] = (refused_until, result.error)
            if self._progress:
                self._progress(len(request.messages))
        return any(result.outcome is not PollOutcome.NOT_ASKED for group in results for result in group)

    def _sweep(self) -> None:
        self.summary.add_sweep(sweep(self._accounts, stop=self._stop))


def _write_one(responses: list[Response], *, using: str, fetcher: StatusFetcher) -> list[list[PollResult]]:
    return _write(responses, transaction.atomic(using=using), fetcher=fetcher)


def _write(
    responses: list[Response], transaction_context: AbstractContextManager[None], *, fetcher: StatusFetcher
) -> list[list[PollResult]]:
    """Process responses in one transaction, and return the results of each."""
    recorded_refusals = set(fetcher.recorded_refusals)
    try:
        with transaction_context:
            results = [process_response(request, future.result, fetcher=fetcher) for request, future in responses]
            save_schedule(result for group in results for result in group)
            return results
    except Error:
        fetcher.recorded_refusals.intersection_update(recorded_refusals)  # the later ones are rolled back
        raise
