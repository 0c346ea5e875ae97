"""A scheduler that runs functions after a delay, in a few daemon threads.

The worker threads run the earliest job first. The scheduler also counts the requests that are being served, so that
`Scheduler.wait_until_idle` covers all pending work of the sandbox.
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
    """Run jobs when they are due. Safe to share between threads.

    Args:
        workers: how many jobs may run at the same time.
    """

    def __init__(self, *, workers: int = 16) -> None:
        self._changed = threading.Condition()
        self._jobs: list[tuple[float, int, Job]] = []
        # Jobs cannot be compared. This number decides between two jobs with the same due time: first in, first out.
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
        """Run ``job`` after ``delay`` seconds. A stopped scheduler ignores the job."""
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._jobs, (time.monotonic() + delay, next(self._order), job))
                self._changed.notify_all()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count the body of the ``with`` statement as a running job."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            self._finish()

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until no job is running or pending; return False if that takes more than ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def stop(self, *, timeout: float) -> None:
        """Discard the pending jobs, and wait up to ``timeout`` seconds for the workers to end."""
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
                self._finish()

    def _finish(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _next(self) -> Job | None:
        """Wait for the next due job and count it as running; return None once the scheduler is stopped."""
        with self._changed:
            while not self._stopped:
                wait = self._jobs[0][0] - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    # Under the same lock as the removal. Otherwise wait_until_idle could see neither a pending nor a
                    # running job.
                    self._busy += 1
                    return heapq.heappop(self._jobs)[2]
                # A long wait would overflow the platform's clock; waking up early has no effect.
                self._changed.wait(wait if wait is None else min(wait, 60.0))
            return None
