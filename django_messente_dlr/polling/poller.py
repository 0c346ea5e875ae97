"""The `Poller`: one run over everything that is due, several questions at a time."""

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
from django_messente_dlr.utils.rate_limiter import PollSkipped, RateLimiter

# Seconds between the sweeps of a run that is longer.
SWEEP_EVERY = 60.0
# Seconds for which a Poller that runs again asks nothing for an account that was refused.
REFUSED_FOR = 300.0
# The greatest number of answers in one transaction: others wait for its rows, however shortly.
TOGETHER = 50

Answered = tuple[StatusRequest, Future[list[Report | None]]]


class Poller:
    """Asks Messente about the messages that are due.

    Args:
        account_names: the accounts to poll; None for all that are configured.
        batch_size: messages in one claim; None for the setting.
        concurrency: threads that ask at the same time; None for the setting.
        rate: questions a second, of all threads together; None for the setting.
        limit: the greatest number of messages to ask about in one run; None for all that are due.
        stop: ends a run when it is set: what is being asked is still recorded, and what was claimed is given back.
        progress: is told the number of messages that are done, now and then.

    Raises:
        ImproperlyConfigured: there is no such account.
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
        named = None if account_names is None else {conf.account(name).name for name in account_names}
        self._named = named
        self._accounts = set(config.accounts) if named is None else named
        self._batch_size = batch_size or config.poll_batch_size
        self._concurrency = concurrency or config.poll_concurrency
        self._limit = limit
        self._lease = timedelta(seconds=config.poll_lease)
        self._progress = progress
        # Kept from run to run: a pause that Messente has asked for outlasts the run that heard of it.
        self._rate_limiter = RateLimiter(rate or config.poll_rate, stop=stop or threading.Event())
        # Likewise an account that was refused: until when it is left alone, and why.
        self._refused: dict[str, tuple[float, str]] = {}
        self.summary = Summary()

    def run(self, *, sweeping: bool = True) -> Summary:
        """Ask about everything that is due now, and return what that came to.

        Args:
            sweeping: whether to sweep up, too, what was left undone.
        """
        self.summary = Summary()
        started = timezone.now()
        fetcher = StatusFetcher(self._rate_limiter)
        for name, (until, error) in self._refused.items():
            if time.monotonic() < until:
                fetcher.refused.add(name)
                self.summary.stopped[name] = error
        self._ask(fetcher, now=started, sweeping=sweeping)
        for name in self._accounts - fetcher.refused:
            # Where nobody asked, what was wrong is so still: what was refused is asked about when its claim runs out.
            is_well = name in fetcher.served or not lookup.pending().filter(account=name).exists()
            accounts.record_poll(name, now=started, error="" if is_well else None)
        if sweeping:
            self._sweep()
        return self.summary

    def _ask(self, fetcher: StatusFetcher, *, now: datetime, sweeping: bool) -> None:
        claims = Claims(
            fetcher,
            account_names=self._named,
            batch_size=self._batch_size,
            lease=self._lease,
            limit=self._limit,
            set_aside=self.summary.count,
        )
        done: SimpleQueue[Future[list[Report | None]]] = SimpleQueue()
        asking: dict[Future[list[Report | None]], StatusRequest] = {}
        requests = claims(now)
        sweep_at = time.monotonic() + SWEEP_EVERY
        # As many again wait for a thread, so that none waits for us while we write.
        ahead, vain = 2 * self._concurrency, 0
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="messente-poll")
        try:
            while True:
                while len(asking) < ahead and vain <= self._batch_size + ahead:
                    if (request := next(requests, None)) is None:
                        break
                    future = pool.submit(fetcher.fetch, request)
                    asking[future] = request
                    future.add_done_callback(done.put)
                if not asking:
                    break
                ready = [done.get()]
                while len(ready) < TOGETHER and not done.empty():
                    ready.append(done.get())
                asked = self._finish([(asking.pop(future), future) for future in ready], fetcher=fetcher)
                # Where a whole batch could not be asked about, the rest cannot either.
                vain = 0 if asked else vain + len(ready)
                if sweeping and time.monotonic() >= sweep_at:
                    self._sweep()
                    sweep_at = time.monotonic() + SWEEP_EVERY
        finally:
            pool.shutdown(cancel_futures=True)
        ended = PollSkipped("The run was ended.", again_in=0.0)
        unasked = [message for request in claims.give_back() for message in request.messages]
        self.summary.count(postpone(unasked, ended, now=timezone.now()))

    def _finish(self, answered: list[Answered], *, fetcher: StatusFetcher) -> bool:
        """Take the answers to questions; return whether any of them was asked."""
        using = router.db_for_write(SmsMessage)
        if len(answered) == 1:
            write = partial(_alone, answered, using=using, fetcher=fetcher)
            try:
                results = db_retry.retry_on_contention(write, using=using)
            except IntegrityError:  # its message was deleted while it was written about: it is looked for again
                results = db_retry.retry_on_contention(write, using=using)
        else:
            try:
                # What is ready together is committed together: a database waits for its disk with every commit.
                results = _written(answered, receiving.atomic_batch(using), fetcher=fetcher)
            except Error:  # such as a deadlock: it undoes them all, so that each is taken by itself
                asked = [self._finish([one], fetcher=fetcher) for one in answered]
                return any(asked)
        for (request, _), told in zip(answered, results, strict=True):
            self.summary.count_question(told)
            for result in told:
                if result.outcome is not PollOutcome.NOT_ASKED and not result.error:
                    fetcher.served.add(request.account)
                if result.outcome is PollOutcome.REFUSED:
                    self.summary.stopped.setdefault(request.account, result.error)
                    self._refused[request.account] = (time.monotonic() + REFUSED_FOR, result.error)
            if self._progress:
                self._progress(len(request.messages))
        return any(result.outcome is not PollOutcome.NOT_ASKED for told in results for result in told)

    def _sweep(self) -> None:
        self.summary.add_swept(sweep(self._accounts))


def _alone(answered: list[Answered], *, using: str, fetcher: StatusFetcher) -> list[list[PollResult]]:
    return _written(answered, transaction.atomic(using=using), fetcher=fetcher)


def _written(
    answered: list[Answered], whole: AbstractContextManager[None], *, fetcher: StatusFetcher
) -> list[list[PollResult]]:
    """Write in one transaction what becomes of the messages of some answers, and return it."""
    noted = set(fetcher.noted)
    try:
        with whole:
            told = [process_response(request, future.result, fetcher=fetcher) for request, future in answered]
            save_schedule(result for results in told for result in results)
            return told
    except Error:
        fetcher.noted.intersection_update(noted)  # what was noted meanwhile is undone
        raise
