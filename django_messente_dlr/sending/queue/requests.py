"""Send queued messages from threads. This module does not use the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django_messente_dlr.backends import get_backend
from django_messente_dlr.backends.base import OutgoingMessage, SendResult
from django_messente_dlr.exceptions import (
    ConnectionFailed,
    CredentialsRefused,
    IpAddressRefused,
    MessageNotSent,
    RateLimited,
)
from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.utils.rate_limiter import MAX_PAUSE, PAUSE, RateLimiter, RequestSkipped
from django_messente_dlr.utils.times import growing_interval

# The pause doubles with each failed connection in a row, so that few messages use up their attempts in an outage.
MAX_CONNECTION_PAUSE = 60.0
# They concern all messages of the account, which wait until it is corrected.
ACCOUNT_ERRORS = (CredentialsRefused, IpAddressRefused)
# When a message is tried again that was certainly not sent: ten attempts take about three hours.
FIRST_DELAY = timedelta(seconds=30)
MAX_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A message that a worker has begun to send.

    Attributes:
        row: its row in the queue.
        outgoing: what to send; None if it cannot be sent.
        error: why it cannot be sent.
    """

    row: QueuedMessage
    outgoing: OutgoingMessage | None = None
    error: MessageNotSent | None = None


#: Messente's answer about one message: its ids, or the exception that explains why there are none.
Answer = SendResult | Exception


def delay_after(attempts: int, *, retry_after: float | None) -> timedelta:
    """Return when to try a message again: after a growing delay, and not before Messente's ``Retry-After``.

    Args:
        attempts: the number of attempts so far, at least 1.
        retry_after: the seconds that Messente requires, or None.
    """
    delay = growing_interval(FIRST_DELAY, repetitions=attempts - 1, longest=MAX_DELAY)
    return max(delay, timedelta(seconds=min(retry_after or 0.0, MAX_PAUSE)))


class Sender:
    """Send messages, from any number of threads at the same time.

    Args:
        rate_limiter: limits the requests per second.

    Attributes:
        refused: the accounts that Messente refused, with the reason. No more requests are made for them.
    """

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self.rate_limiter = rate_limiter
        self.refused: dict[str, str] = {}
        self._lock = threading.Lock()
        self._connection_pause = PAUSE
        self._connection_paused_until = 0.0

    def send(self, items: Sequence[Item]) -> list[Answer]:
        """Wait for the rate limiter, send messages of one account in one request, and return the answer about each.

        `RequestSkipped` is the answer if no request was made.

        Args:
            items: the messages; several are sent in bulk.
        """
        account = items[0].row.account
        try:
            self._wait(account)
            answers = self._request(items)
        except Exception as exc:  # noqa: BLE001 - the main thread records it for each message
            answers = [exc] * len(items)
        for answer in {id(answer): answer for answer in answers}.values():
            self._react(account, answer)
        return answers

    def _wait(self, account: str) -> None:
        self.rate_limiter.wait()
        if account in self.refused:
            raise RequestSkipped(f"Messente refuses the account {account}.")

    def _request(self, items: Sequence[Item]) -> list[Answer]:
        """Send the messages that can be sent, and return the answer or the error of each."""
        messages = {item.row.pk: item.outgoing for item in items if item.outgoing is not None}
        backend, outgoing = get_backend(), list(messages.values())
        results: Sequence[Answer] = [backend.send(outgoing[0])] if len(outgoing) == 1 else backend.send_bulk(outgoing)
        answers: dict[int, Answer] = dict(zip(messages, results, strict=True))
        return [item.error or answers[item.row.pk] for item in items]

    def _react(self, account: str, answer: Answer) -> None:
        """Pause all requests, or end those of an account, in this thread: the next request would fail, too."""
        if isinstance(answer, SendResult):
            self._connection_pause = PAUSE
            return
        error = answer.__cause__ if isinstance(answer, MessageNotSent) else None
        if isinstance(error, ACCOUNT_ERRORS):
            self.refused.setdefault(account, str(answer))
        elif isinstance(error, RateLimited):
            self.rate_limiter.pause_as_requested(error.retry_after)
        elif isinstance(error, ConnectionFailed):
            self._pause_for_connection()

    def _pause_for_connection(self) -> None:
        """Pause all requests. The requests that fail at the same time lengthen the pause once."""
        with self._lock:
            now = time.monotonic()
            if now < self._connection_paused_until:
                return
            self._connection_paused_until = now + self._connection_pause
            self.rate_limiter.pause(self._connection_pause)
            self._connection_pause = min(2 * self._connection_pause, MAX_CONNECTION_PAUSE)
