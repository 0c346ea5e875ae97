"""The messages to ask about, as a stream: a batch is claimed whenever the last one is used up."""

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

logger = logging.getLogger(__name__)

# How much of a lease is kept for the question itself: five minutes' lease leaves a minute for its time-outs.
RESERVE = 5


class Claims:
    """Claims messages that are due, and hands them out as questions.

    Args:
        fetcher: who is going to ask; accounts that it was refused are not claimed for.
        account_names: the accounts whose messages to claim; None for all messages.
        batch_size: messages in one claim.
        lease: for how long they are ours.
        limit: the greatest number of messages in all; None for no limit.
        set_aside: is told what was done to messages about which nobody can be asked.
    """

    def __init__(
        self,
        fetcher: StatusFetcher,
        *,
        account_names: Collection[str] | None,
        batch_size: int,
        lease: timedelta,
        limit: int | None,
        set_aside: Callable[[list[PollResult]], object],
    ) -> None:
        self._fetcher = fetcher
        self._account_names = account_names
        # No more than can be asked about while they are ours.
        self._batch_size = max(1, min(batch_size, int(fetcher.rate_limiter.rate * lease.total_seconds() / RESERVE)))
        self._lease = lease
        self._left = limit
        self._claimed: deque[StatusRequest] = deque()
        self._not_ours: set[str] = set()
        self._set_aside = set_aside

    def __call__(self, now: datetime) -> Iterator[StatusRequest]:
        """Yield the questions about all messages that are due at ``now``."""
        while True:
            if not self._claimed and not self._claim(now):
                return
            while self._claimed:
                yield self._claimed.popleft()

    def give_back(self) -> list[StatusRequest]:
        """Return the questions that were claimed and not handed out, and forget them."""
        unasked = list(self._claimed)
        self._claimed.clear()
        return unasked

    def _claim(self, now: datetime) -> bool:
        """Claim a batch; false where there is nothing more to do."""
        if self._fetcher.rate_limiter.is_closed or self._left == 0:
            return False
        count = self._batch_size if self._left is None else min(self._left, self._batch_size)
        pending = PendingPoll.objects.exclude(account__in=list(self._fetcher.refused))
        if self._account_names is not None:
            pending = pending.filter(account__in=self._account_names)
        # What was due when the run began, which may be long ago; but from now on it is ours.
        batch = pending.claim(count, now=now, lease=timezone.now() - now + self._lease)
        if not batch:
            return False
        if self._left is not None:
            self._left -= len(batch)
        ours_until = (batch[0].next_poll_at or now) - self._lease / RESERVE
        self._claimed.extend(status_requests_for(self._askable(batch), ours_until=ours_until))
        return True

    def _askable(self, batch: list[SmsMessage]) -> Iterator[SmsMessage]:
        """Yield the messages about which Messente can be asked; the others wait for an id, or their account."""
        aside = []
        for message in batch:
            if message.account not in conf.accounts():
                if message.account not in self._not_ours:
                    self._not_ours.add(message.account)
                    logger.warning(
                        "Nobody is asked about messages of account %s, which is not configured. Put it back into %s "
                        "until they have ended.",
                        message.account,
                        conf.SETTING,
                    )
            elif message.sms_unique_id or message.omnimessage_id:
                yield message
                continue
            aside.append(reschedule_unpollable(message, now=timezone.now()))
        save_schedule(aside)
        self._set_aside(aside)
