"""Whoever is told to end does end, in whatever instant the signal comes."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from django_messente_dlr.management.shutdown import LONGEST_WAIT, pause, until_signalled


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_waits_and_is_nobody_elses_business_afterwards(number: signal.Signals) -> None:
    before, ended = signal.getsignal(number), threading.Event()
    with until_signalled(ended):
        os.kill(os.getpid(), number)
        pause(60, ended=ended)
    assert ended.is_set()
    assert signal.getsignal(number) is before


def test_a_signal_may_come_while_the_lock_is_held_that_ending_takes() -> None:
    ended = threading.Event()
    with until_signalled(ended):
        with ended._cond:  # type: ignore[attr-defined]  # as within Event.wait
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(60)


def test_nobody_waits_so_long_that_a_signal_which_came_too_early_is_forgotten() -> None:
    waited: list[float] = []

    class TooEarly(threading.Event):
        """The signal was there when the wait began, and is looked at when it is over."""

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waited.append(timeout)
            self.set()
            return False if len(waited) == 1 else self.is_set()

    pause(600, ended=TooEarly())
    assert waited == [LONGEST_WAIT, LONGEST_WAIT]


def test_a_pause_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: list[float] = [0.0]

    class Passing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0.0
            return False

    def now(*args: Any) -> float:
        return clock[0]

    monkeypatch.setattr("django_messente_dlr.management.shutdown.time.monotonic", now)
    pause(2.5, ended=Passing())
    assert clock == [2.5]
