"""Which hosts are to be left alone for a while: one that fails must not cost every question a time-out.

In comes what became of each request; out goes for how long a host rests. Shared by all threads of a process.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

REST = 30.0  # seconds
# One failure may be that of a single request; so many in a row are the host's.
FAILURES = 3


@dataclass(slots=True)
class _State:
    failures: int = 0
    rests_until: float = 0.0


class CircuitBreaker:
    """Remembers which hosts fail.

    A host that cannot be connected to rests at once; one that does not answer, or answers with failures, after a
    few in a row. When its rest is over, one request tries it, and the others keep away until that one has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def seconds_until_retry(self, host: str) -> float:
        """Return the seconds for which a host is still to be left alone; 0 if it may be asked now."""
        with self._lock:
            state = self._states.get(host)
            if state is None or not state.rests_until:
                return 0.0
            now = time.monotonic()
            if state.rests_until > now:
                return state.rests_until - now
            state.rests_until = now + REST  # for all but the caller, who tries it now
            return 0.0

    def answered(self, host: str) -> None:
        """Note that a host answered, whatever it said."""
        if host in self._states:  # without the lock: nearly always it is not
            with self._lock:
                self._states.pop(host, None)

    def failed(self, host: str, *, connected: bool) -> None:
        """Note that a host failed.

        Args:
            host: the host.
            connected: whether there was a connection at least.
        """
        with self._lock:
            state = self._states.setdefault(host, _State())
            state.failures += 1
            if not connected or state.failures >= FAILURES:
                state.rests_until = time.monotonic() + REST
