"""A signal ends a command at whatever time it arrives."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from django_messente_dlr.management.shutdown import MAX_WAIT, pause, until_signalled


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_until_signalled__ends_pause(signum: signal.Signals) -> None:
    handler, stop = signal.getsignal(signum), threading.Event()
    with until_signalled(stop):
        os.kill(os.getpid(), signum)
        pause(60, stop=stop)
    assert stop.is_set()
    assert signal.getsignal(signum) is handler


def test_until_signalled__lock_of_event_is_held() -> None:
    stop = threading.Event()
    with until_signalled(stop):
        with stop._cond:  # type: ignore[attr-defined]  # Event.wait() holds it
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)


def test_pause__signal_just_before_wait() -> None:
    waits: list[float] = []

    class SetAfterFirstWait(threading.Event):
        """Its signal arrived just before the first wait, so Python runs the handler after that wait."""

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            self.set()
            return False if len(waits) == 1 else self.is_set()

    pause(600, stop=SetAfterFirstWait())
    assert waits == [MAX_WAIT, MAX_WAIT]


def test_pause__full_length(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: list[float] = [0.0]

    class AdvanceClock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0.0
            return False

    def now(*args: Any) -> float:
        return clock[0]

    monkeypatch.setattr("django_messente_dlr.management.shutdown.time.monotonic", now)
    pause(2.5, stop=AdvanceClock())
    assert clock == [2.5]
