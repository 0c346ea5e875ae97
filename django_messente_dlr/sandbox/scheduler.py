"""Jobs that are to be done at a time, by a few daemon threads.

In come functions and the seconds to wait before each; they run in worker threads, the earliest first. Whoever
waits for the sandbox to come to rest asks here, because here everything is known that is still to be done.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Job = Callable[[], None]


class Scheduler:
    """Runs jobs in due time. Safe to share between threads.

    Args:
        workers: how many jobs may run at the same time.
    """

    def __init__(self, *, workers: int = 16) -> None:
        self._changed = threading.Condition()
        self._jobs: list[tuple[float, int, Job]] = []
        # Two jobs of the same moment keep the order in which they came; jobs themselves cannot be compared.
        self._order = itertools.count()
        self._busy = 0
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"messente-sandbox-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        """Start the workers."""
        for thread in self._threads:
            thread.start()

    def put(self, job: Job, *, delay: float) -> None:
        """Have ``job`` done after ``delay`` seconds. Once stopped, nothing is done any more."""
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._jobs, (time.monotonic() + delay, next(self._order), job))
                self._changed.notify_all()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count what happens inside as something that is being done."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until nothing is being done or to be done; return False if ``timeout`` seconds were too few."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def stop(self, *, timeout: float) -> None:
        """Forget all jobs that have not begun, and wait up to ``timeout`` seconds for the workers to end."""
        with self._changed:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> Job | None:
        """Wait for the next due job and count it as being done; None when there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                wait = self._jobs[0][0] - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    # Counted in the same breath, so that there is no moment at which it is neither.
                    self._busy += 1
                    return heapq.heappop(self._jobs)[2]
                # A moment far away would overflow the platform's clock; waking up early does no harm.
                self._changed.wait(wait if wait is None else min(wait, 60.0))
            return None
