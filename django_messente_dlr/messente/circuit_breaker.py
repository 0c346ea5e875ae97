"""A circuit breaker for Messente's hosts: after failures, requests to a host are skipped for a while.

Without it, every request to a failing host would wait for a time-out. `Transport` reports the outcome of each
request here. All threads of a process share one circuit breaker per client.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

OPEN_SECONDS = 30.0
# A single failure can be caused by one request. This number of failures in a row is attributed to the host.
FAILURE_THRESHOLD = 3


@dataclass(slots=True)
class _HostState:
    failures: int = 0
    open_until: float = 0.0


class CircuitBreaker:
    """Record failures of hosts and decide when a host may be used again.

    A host that accepts no connection is skipped at once. A host that accepts connections, but times out or fails,
    is skipped after `FAILURE_THRESHOLD` failures in a row. After `OPEN_SECONDS` one request may try the host.
    Other requests still skip it until that request has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, _HostState] = {}

    def seconds_until_retry(self, host: str) -> float:
        """Return the seconds for which a host is still skipped, or 0 if the caller may use it now."""
        with self._lock:
            state = self._states.get(host)
            if state is None or not state.open_until:
                return 0.0
            now = time.monotonic()
            if state.open_until > now:
                return state.open_until - now
            # The caller tries the host now. All others skip it until the caller reports the outcome.
            state.open_until = now + OPEN_SECONDS
            return 0.0

    def record_response(self, host: str) -> None:
        """Record that a host responded, and forget its failures. A refusal is a response, too."""
        if host in self._states:  # checked without the lock, because most hosts have no failures
            with self._lock:
                self._states.pop(host, None)

    def record_failure(self, host: str, *, connected: bool) -> None:
        """Record a failure of a host.

        Args:
            host: the host with its scheme.
            connected: whether a connection was established before the failure.
        """
        with self._lock:
            state = self._states.setdefault(host, _HostState())
            state.failures += 1
            if not connected or state.failures >= FAILURE_THRESHOLD:
                state.open_until = time.monotonic() + OPEN_SECONDS
