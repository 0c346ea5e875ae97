"""How commands that run until they are told to end are told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_signalled(ended: threading.Event) -> Iterator[None]:
    """Have SIGINT and SIGTERM set ``ended`` while inside, and do whatever they did before afterwards.

    Outside the main thread, where Python lets nobody listen to signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: ended.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
