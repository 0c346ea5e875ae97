"""A scheduler that runs functions after a delay, in a few daemon threads, and the clock of the sandbox.

The worker threads run the earliest job first. The scheduler also counts the requests that are being served, so that
`Scheduler.wait_until_idle` covers all pending work of the sandbox. Its clock can be advanced, so that a test need not
wait until a scheduled message is sent.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

Job = Callable[[], None]


class Scheduler:
    """Run jobs when they are due. Safe to share between threads.

    Args:
        workers: how many jobs may run at the same time.
    """

    def __init__(self, *, workers: int = 16) -> None:
        self._changed = threading.Condition()
        self._jobs: list[tuple[float, int, Job, object]] = []
        self._advanced = 0.0
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

    def put(self, job: Job, *, delay: float, owner: object = None) -> None:
        """Run ``job`` after ``delay`` seconds. A stopped scheduler ignores the job.

        Args:
            job: the function to call.
            delay: the seconds to wait.
            owner: what the job belongs to, for `discard`.
        """
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._jobs, (self._monotonic() + delay, next(self._order), job, owner))
                self._changed.notify_all()

    def discard(self, owner: object) -> None:
        """Discard the pending jobs of ``owner``."""
        with self._changed:
            self._jobs = [entry for entry in self._jobs if entry[3] is not owner]
            heapq.heapify(self._jobs)
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Advance the clock, so that the jobs of that time are due now."""
        with self._changed:
            self._advanced += seconds
            self._changed.notify_all()

    def now(self) -> datetime:
        """Return the time of the sandbox's clock, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._advanced)

    def _monotonic(self) -> float:
        return time.monotonic() + self._advanced

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
                wait = self._jobs[0][0] - self._monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    # Under the same lock as the removal. Otherwise wait_until_idle could see neither a pending nor a
                    # running job.
                    self._busy += 1
                    return heapq.heappop(self._jobs)[2]
                # A long wait would overflow the platform's clock; waking up early has no effect.
                self._changed.wait(wait if wait is None else min(wait, 60.0))
            return None


def check_seconds(**values: float) -> None:
    """Check numbers of seconds, which are given by their names.

    Raises:
        ValueError: a value is negative or not finite.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a number of seconds, 0 or more, not {value}.")
