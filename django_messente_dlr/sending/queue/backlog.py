"""The messages that a run has claimed and not attempted yet, and the groups of them that are sent in one request."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from django_messente_dlr import accounts, conf
from django_messente_dlr.exceptions import MessageNotSent, RecipientNotAllowed
from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.sending import resend_policy
from django_messente_dlr.sending.queue import claims
from django_messente_dlr.sending.queue.attempt import attempt
from django_messente_dlr.sending.queue.content import from_json
from django_messente_dlr.sending.queue.requests import Item, Sender
from django_messente_dlr.sending.transmit import address

# Messente recommends at most this number of messages in a bulk request (documentation: "Omnichannel API", bulk).
MAX_BULK = 1000
# Seconds between two reads of the credit holds.
HOLD_CHECK_INTERVAL = 1.0
# No more messages are claimed than the rate allows to send in one part in RESERVE of a lease.
RESERVE = 5


class Backlog:
    """Claim messages in batches, and record the attempts to send them.

    Args:
        account_names: the accounts to send from.
        sender: sends the messages. Nothing is claimed for the accounts that were refused to it.
        lease: the duration of a claim, and of an attempt.
        limit: the greatest number of messages in total; None for no limit.
        message_pk: the only message to claim; None for all.

    Attributes:
        paused: the accounts on credit hold, whose messages are not claimed.
    """

    def __init__(
        self,
        account_names: Sequence[str],
        *,
        sender: Sender,
        lease: timedelta,
        limit: int | None,
        message_pk: int | None,
    ) -> None:
        config = conf.get_config()
        self._account_names = account_names
        self._sender = sender
        self._lease = lease
        self._message_pk = message_pk
        self._remaining = 1 if message_pk is not None else limit
        self._is_bulk = config.queue_bulk
        in_time = max(1, int(sender.rate_limiter.rate * lease.total_seconds() / RESERVE))
        self._batch_size = MAX_BULK if self._is_bulk else min(config.queue_batch_size, in_time)
        self._rows: deque[QueuedMessage] = deque()
        self._turn = 0
        self.paused: set[str] = set()
        self._check_holds_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether the run has nothing more to send."""
        return not self._rows or self._sender.rate_limiter.is_closed

    def attempt(self, requests: int) -> list[list[Item]]:
        """Record the attempts to send messages in one commit; return the messages of each request.

        The result is empty while requests are paused.

        Args:
            requests: the greatest number of requests.
        """
        # Other processes may have taken all of them. The run then goes on with the next ones.
        while groups := self._next_groups(requests):
            # Before the attempt: an invalid setting ends the run, and must not leave unknown outcomes.
            items = {row.pk: _item(row) for group in groups for row in group}
            ours = {row.pk for row in attempt([row for group in groups for row in group], lease=self._lease)}
            attempted = [[items[row.pk] for row in group if row.pk in ours] for group in groups]
            if any(attempted):
                return [group for group in attempted if group]
        return []

    def release(self) -> None:
        """Let other workers claim the messages that were not attempted."""
        claims.release(self._rows)
        self._rows.clear()

    def _next_groups(self, requests: int) -> list[list[QueuedMessage]]:
        """Return the claimed messages of some requests; an empty list if none is due, or if requests are paused."""
        groups = list[list[QueuedMessage]]()
        while len(groups) < requests and (group := self._next_group()):
            if needed := [row for row in group if not resend_policy.cancel_if_not_needed(row.message)]:
                groups.append(needed)
        return groups

    def _next_group(self) -> list[QueuedMessage]:
        """Return the claimed messages for one request; an empty list if there are none, or if requests are paused."""
        if self._sender.rate_limiter.is_closed:
            return []
        self._check_accounts()
        if not self._rows:
            self._claim()
        if not self._rows or self._sender.rate_limiter.pause_left:
            return []
        first = self._rows.popleft()
        if not self._is_bulk or not _can_be_bulk(first):
            return [first]
        others = [row for row in self._rows if row.account == first.account and _can_be_bulk(row)][: MAX_BULK - 1]
        keys = {row.pk for row in others}
        self._rows = deque(row for row in self._rows if row.pk not in keys)
        return [first, *others]

    def _check_accounts(self) -> None:
        """Read which accounts are on hold, and release the messages of those and of refused accounts."""
        if time.monotonic() >= self._check_holds_at:
            self.paused = accounts.paused_accounts() & set(self._account_names)
            self._check_holds_at = time.monotonic() + HOLD_CHECK_INTERVAL
        closed = self.paused | self._sender.refused.keys()
        if any(row.account in closed for row in self._rows):
            claims.release([row for row in self._rows if row.account in closed])
            self._rows = deque(row for row in self._rows if row.account not in closed)

    def _claim(self) -> None:
        count = self._batch_size if self._remaining is None else min(self._remaining, self._batch_size)
        closed = self.paused | self._sender.refused.keys()
        names = [name for name in self._account_names if name not in closed]
        if not count or not names:
            return
        if self._message_pk is not None:
            self._rows.extend(claims.claim_one(self._message_pk, names, lease=self._lease))
            self._remaining = 0
            return
        # Another account is first in each claim, so that none waits until the queue of another is empty.
        self._turn = (self._turn + 1) % len(names)
        rows = claims.claim([*names[self._turn :], *names[: self._turn]], count, lease=self._lease)
        self._rows.extend(rows)
        if self._remaining is not None:
            self._remaining -= len(rows)


def _can_be_bulk(row: QueuedMessage) -> bool:
    return bool(row.content.get("api") == "omnichannel")


def _item(row: QueuedMessage) -> Item:
    """Return a message with the number that it may be sent to, or with the reason why it cannot be sent."""
    try:
        return Item(row=row, outgoing=address(row.message, from_json(row)))
    except ValueError as exc:
        return Item(row=row, error=MessageNotSent(str(exc)))
    except RecipientNotAllowed as exc:
        return Item(row=row, error=exc)
