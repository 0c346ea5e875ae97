"""Jobs are done in due time, by daemon threads, and whoever waits for rest is told the truth."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from django_messente_dlr.sandbox.scheduler import Timetable

WAIT = 10.0


@pytest.fixture
def timetable() -> Iterator[Timetable]:
    timetable = Timetable(workers=1)
    timetable.start()
    yield timetable
    timetable.stop(timeout=WAIT)


def test_the_earlier_job_is_done_first_whichever_came_first(timetable: Timetable) -> None:
    done: list[str] = []
    opened: list[bool] = []
    gate = threading.Event()
    timetable.put(lambda: opened.append(gate.wait(WAIT)), delay=0.0)
    timetable.put(lambda: done.append("later"), delay=0.3)
    timetable.put(lambda: done.append("sooner"), delay=0.0)
    timetable.put(lambda: done.append("soon"), delay=0.0)
    gate.set()
    assert timetable.wait_until_idle(WAIT)
    assert opened == [True]
    assert done == ["sooner", "soon", "later"]


def test_a_job_may_bring_further_jobs_before_there_is_rest(timetable: Timetable) -> None:
    done: list[int] = []

    def job() -> None:
        done.append(len(done))
        if len(done) < 5:
            timetable.put(job, delay=0.0)

    timetable.put(job, delay=0.0)
    assert timetable.wait_until_idle(WAIT)
    assert done == [0, 1, 2, 3, 4]


def test_there_is_no_rest_while_a_job_waits_or_somebody_is_busy(timetable: Timetable) -> None:
    with timetable.busy():
        assert not timetable.wait_until_idle(0.0)
    assert timetable.wait_until_idle(0.0)
    timetable.put(lambda: None, delay=3600.0)
    assert not timetable.wait_until_idle(0.0)


def test_a_moment_far_away_is_no_trouble(timetable: Timetable) -> None:
    """A wait of that many seconds would overflow in the worker; that it still works shows that it did not."""
    done = threading.Event()
    timetable.put(lambda: None, delay=1e11)
    timetable.put(done.set, delay=0.0)
    assert done.wait(WAIT)


def test_stopping_forgets_what_has_not_begun_and_what_comes_later() -> None:
    timetable = Timetable(workers=2)
    timetable.start()
    done: list[str] = []
    timetable.put(lambda: done.append("waiting"), delay=3600.0)
    timetable.stop(timeout=WAIT)
    timetable.put(lambda: done.append("too late"), delay=0.0)
    assert timetable.wait_until_idle(0.0)
    assert not done
