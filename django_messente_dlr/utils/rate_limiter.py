"""Limit how fast the threads of one run poll Messente, and respect Messente's request to wait.

Time slots are evenly spaced, so that no second has more than its share. A waiting thread can be stopped at once.
"""

from __future__ import annotations

import threading
import time

# A longer pause than this is not sat out by threads that hold claims: their messages wait in the database.
PATIENCE = 30.0


class PollSkipped(Exception):
    """Messente was not asked about a message.

    Attributes:
        again_in: the seconds until it may be asked about again; None if that is for its claim to decide.
    """

    def __init__(self, reason: str, *, again_in: float | None = None) -> None:
        super().__init__(reason)
        self.again_in = again_in


class RateLimiter:
    """Lets threads pass, so many a second. Safe to share.

    Args:
        rate: questions a second.
        stop: ends all waiting when it is set.
    """

    def __init__(self, rate: float, *, stop: threading.Event) -> None:
        self.rate = rate
        self._stop = stop
        self._lock = threading.Lock()
        self._next = 0.0
        self._paused_until = 0.0

    def wait(self) -> None:
        """Return when a question may be asked.

        Raises:
            PollSkipped: the run is to end, or Messente wants a pause that is too long to wait for.
        """
        while not self._stop.is_set():
            with self._lock:
                now = time.monotonic()
                pause = self._paused_until - now
                if pause > PATIENCE:
                    raise PollSkipped(f"Messente wants no questions for {pause:.0f} seconds.", again_in=pause)
                slot = max(now, self._next, self._paused_until)
                self._next = slot + 1 / self.rate
            if slot > now:
                self._stop.wait(slot - now)
            if self._paused_until <= slot:  # else a pause was called while we waited: wait for another slot
                break
        if self._stop.is_set():
            raise PollSkipped("The run was ended.", again_in=0.0)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so many seconds."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)
            self._next = max(self._next, self._paused_until)

    @property
    def is_closed(self) -> bool:
        """Whether nobody will pass for so long that it is no use to claim more."""
        return self._stop.is_set() or self._paused_until - time.monotonic() > PATIENCE
