"""End commands that run until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A signal that arrives just before a wait starts does not interrupt it: Python runs the handler after the wait.
# So no wait is longer than this number of seconds.
MAX_WAIT = 1.0


@contextmanager
def until_signalled(stop: threading.Event) -> Iterator[None]:
    """Set an event on SIGINT and SIGTERM inside the block; restore the previous handlers afterwards.

    Python allows signal handlers only in the main thread. In another thread the handlers are left unchanged.

    Args:
        stop: the event to set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def set_stop(number: int, frame: FrameType | None) -> None:
        # The interrupted code may hold the lock that Event.set() acquires, so a thread of its own acquires it.
        threading.Thread(target=stop.set, daemon=True).start()

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous_handlers = [signal.signal(number, set_stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous_handlers, strict=True):
            signal.signal(number, handler)


def pause(seconds: float, *, stop: threading.Event) -> None:
    """Wait for a number of seconds, or until an event is set.

    Args:
        seconds: the length of the pause.
        stop: the event that ends the pause.
    """
    deadline = time.monotonic() + seconds
    while (remaining := deadline - time.monotonic()) > 0 and not stop.wait(min(remaining, MAX_WAIT)):
        pass
