"""The scheduler runs jobs when they are due, and `wait_until_idle` covers pending and running jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from django_messente_dlr.sandbox.scheduler import Scheduler

WAIT = 10.0


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(workers=1)
    scheduler.start()
    yield scheduler
    scheduler.stop(timeout=WAIT)


def test_put__earliest_job_first(scheduler: Scheduler) -> None:
    done: list[str] = []
    opened: list[bool] = []
    gate = threading.Event()
    scheduler.put(lambda: opened.append(gate.wait(WAIT)), delay=0.0)
    scheduler.put(lambda: done.append("later"), delay=0.3)
    scheduler.put(lambda: done.append("sooner"), delay=0.0)
    scheduler.put(lambda: done.append("soon"), delay=0.0)
    gate.set()
    assert scheduler.wait_until_idle(WAIT)
    assert opened == [True]
    assert done == ["sooner", "soon", "later"]


def test_wait_until_idle__covers_jobs_of_jobs(scheduler: Scheduler) -> None:
    done: list[int] = []

    def job() -> None:
        done.append(len(done))
        if len(done) < 5:
            scheduler.put(job, delay=0.0)

    scheduler.put(job, delay=0.0)
    assert scheduler.wait_until_idle(WAIT)
    assert done == [0, 1, 2, 3, 4]


def test_wait_until_idle__pending_job_or_busy(scheduler: Scheduler) -> None:
    with scheduler.busy():
        assert not scheduler.wait_until_idle(0.0)
    assert scheduler.wait_until_idle(0.0)
    scheduler.put(lambda: None, delay=3600.0)
    assert not scheduler.wait_until_idle(0.0)


def test_put__very_long_delay(scheduler: Scheduler) -> None:
    """A wait of that many seconds would overflow and end the only worker, so that the second job would not run."""
    done = threading.Event()
    scheduler.put(lambda: None, delay=1e11)
    scheduler.put(done.set, delay=0.0)
    assert done.wait(WAIT)


def test_stop__discards_pending_and_later_jobs() -> None:
    scheduler = Scheduler(workers=2)
    scheduler.start()
    done: list[str] = []
    scheduler.put(lambda: done.append("waiting"), delay=3600.0)
    scheduler.stop(timeout=WAIT)
    scheduler.put(lambda: done.append("too late"), delay=0.0)
    assert scheduler.wait_until_idle(0.0)
    assert not done
