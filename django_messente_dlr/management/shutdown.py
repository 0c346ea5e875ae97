"""How commands that run until they are told to end are told."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A signal that comes in the instant before a wait begins does not end it: Python looks again when the wait is over.
LONGEST_WAIT = 1.0


@contextmanager
def until_signalled(ended: threading.Event) -> Iterator[None]:
    """Have SIGINT and SIGTERM set ``ended`` while inside, and do whatever they did before afterwards.

    Outside the main thread, where Python lets nobody listen to signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(number: int, frame: FrameType | None) -> None:
        # In a thread: what is interrupted may itself hold the lock that setting an Event takes.
        threading.Thread(target=ended.set, daemon=True).start()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, told) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def pause(seconds: float, *, ended: threading.Event) -> None:
    """Wait for so many seconds, or until ``ended`` is set."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not ended.wait(min(left, LONGEST_WAIT)):
        pass
