"""Limit the requests per second that the threads of one run send, and pause them when Messente requests it.

Time slots are evenly spaced, so that no second has more requests than the rate. A waiting thread stops at once when
the run is stopped.
"""

from __future__ import annotations

import threading
import time

# Seconds without requests after HTTP 429 if the response has no Retry-After.
PAUSE = 1.0
# The longest pause in seconds, whatever Retry-After is. Messente deletes reports after 48 hours, and a request after
# an hour shows whether the pause is over.
MAX_PAUSE = 3600.0
# Seconds. Threads do not wait for the end of a longer pause, because the claims of their messages would expire: the
# messages are rescheduled.
MAX_WAIT = 30.0


class RequestSkipped(Exception):
    """The request about a message was not made, for a reason that does not concern the message.

    Attributes:
        again_in: the seconds until the message is due again; None to leave it claimed until the claim expires.
    """

    def __init__(self, reason: str, *, again_in: float | None = None) -> None:
        super().__init__(reason)
        self.again_in = again_in


class RateLimiter:
    """Let threads wait until they may send a request. Threads can share an instance.

    Args:
        rate: the requests per second.
        stop: ends all waiting when it is set.
    """

    def __init__(self, rate: float, *, stop: threading.Event) -> None:
        self.rate = rate
        self._stop = stop
        self._lock = threading.Lock()
        self._next_slot = 0.0
        self._paused_until = 0.0

    def wait(self) -> None:
        """Wait until a request may be sent.

        Raises:
            RequestSkipped: the run was stopped, or the rest of a pause is longer than ``MAX_WAIT``.
        """
        while not self._stop.is_set():
            with self._lock:
                now = time.monotonic()
                pause = self._paused_until - now
                if pause > MAX_WAIT:
                    raise RequestSkipped(f"Messente accepts no requests for {pause:.0f} seconds.", again_in=pause)
                slot = max(now, self._next_slot, self._paused_until)
                self._next_slot = slot + 1 / self.rate
            if slot > now:
                self._stop.wait(slot - now)
            if self._paused_until <= slot:  # else a pause began during the wait: wait for another slot
                break
        if self._stop.is_set():
            raise RequestSkipped("The run was stopped.", again_in=0.0)

    def pause(self, seconds: float) -> None:
        """Let no thread send a request for ``seconds``."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)
            self._next_slot = max(self._next_slot, self._paused_until)

    def pause_as_requested(self, retry_after: float | None) -> None:
        """Let no thread send a request for as long as Messente requires, at most ``MAX_PAUSE``.

        Args:
            retry_after: the seconds in Messente's response, or None.
        """
        self.pause(PAUSE if retry_after is None else min(retry_after, MAX_PAUSE))

    @property
    def pause_left(self) -> float:
        """The seconds until the current pause ends; 0 if there is none."""
        return max(0.0, self._paused_until - time.monotonic())

    @property
    def is_closed(self) -> bool:
        """Whether `wait` raises now, so that more claims are useless."""
        return self._stop.is_set() or self._paused_until - time.monotonic() > MAX_WAIT
