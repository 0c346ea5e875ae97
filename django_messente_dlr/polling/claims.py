"""Claim messages that are due, batch by batch, and yield the status requests for them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from django_messente_dlr import conf
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.polling.results import PollResult, save_schedule
from django_messente_dlr.polling.status_requests import StatusFetcher, StatusRequest, status_requests_for
from django_messente_dlr.polling.status_responses import reschedule_unpollable
from django_messente_dlr.utils.times import elapsed, shift

logger = logging.getLogger(__name__)

# One part in RESERVE of a lease is left for the request itself: of five minutes, one minute for its time-outs.
RESERVE = 5


class Claims:
    """Claim messages that are due and yield status requests.

    Args:
        fetcher: sends the requests; messages of accounts in its ``refused`` are not claimed.
        account_names: the accounts whose messages to claim; None for all messages.
        batch_size: the number of messages in one claim.
        lease: how long a claim lasts.
        limit: the greatest number of messages in total; None for no limit.
        on_unpollable: is called with the results of claimed messages for which no request is possible.
    """

    def __init__(
        self,
        fetcher: StatusFetcher,
        *,
        account_names: Collection[str] | None,
        batch_size: int,
        lease: timedelta,
        limit: int | None,
        on_unpollable: Callable[[list[PollResult]], object],
    ) -> None:
        self._fetcher = fetcher
        self._account_names = account_names
        # No more than the rate allows to request within the lease: the rest would expire before its request.
        self._batch_size = max(1, min(batch_size, int(fetcher.rate_limiter.rate * lease.total_seconds() / RESERVE)))
        self._lease = lease
        self._remaining = limit
        self._requests: deque[StatusRequest] = deque()
        self._unconfigured: set[str] = set()
        self._on_unpollable = on_unpollable

    def __call__(self, now: datetime) -> Iterator[StatusRequest]:
        """Yield the requests for all messages that are due at ``now``."""
        while True:
            if not self._requests and not self._claim(now):
                return
            while self._requests:
                yield self._requests.popleft()

    def discard(self) -> list[StatusRequest]:
        """Remove and return the requests whose messages were claimed, and that were not yielded."""
        requests = list(self._requests)
        self._requests.clear()
        return requests

    def _claim(self, now: datetime) -> bool:
        """Claim a batch; return False if there is nothing left to claim."""
        if self._fetcher.rate_limiter.is_closed or self._remaining == 0:
            return False
        count = self._batch_size if self._remaining is None else min(self._remaining, self._batch_size)
        pending = PendingPoll.objects.exclude(account__in=list(self._fetcher.refused))
        if self._account_names is not None:
            pending = pending.filter(account__in=self._account_names)
        # Due is what was due at the start of the run, perhaps long ago. The lease begins at the current time.
        batch = pending.claim(count, now=now, lease=elapsed(now, timezone.now()) + self._lease)
        if not batch:
            return False
        if self._remaining is not None:
            self._remaining -= len(batch)
        deadline = shift(batch[0].next_poll_at or now, -self._lease / RESERVE)
        self._requests.extend(status_requests_for(self._pollable(batch), deadline=deadline))
        return True

    def _pollable(self, batch: list[SmsMessage]) -> Iterator[SmsMessage]:
        """Yield the messages that Messente can be polled for, and reschedule those without an id or an account."""
        results = []
        for message in batch:
            if message.account not in conf.accounts():
                if message.account not in self._unconfigured:
                    self._unconfigured.add(message.account)
                    logger.warning(
                        "Messages of account %s are not polled, because it is not configured. Put it back into %s "
                        "until they are final.",
                        message.account,
                        conf.SETTING,
                    )
            elif message.sms_unique_id or message.omnimessage_id:
                yield message
                continue
            results.append(reschedule_unpollable(message, now=timezone.now()))
        save_schedule(results)
        self._on_unpollable(results)
