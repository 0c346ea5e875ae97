"""The rate limit that all threads share, and the pauses that Messente requests with HTTP 429."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.utils import timezone

from django_messente_dlr.models import PendingPoll
from django_messente_dlr.polling import Poller
from django_messente_dlr.utils import rate_limiter
from django_messente_dlr.utils.rate_limiter import RateLimiter, RequestSkipped
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, make_due, seen


class Clock:
    """A clock and an Event on which waiting takes no time. Threads can share it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.lock = threading.Lock()
        self.stopped = False

    def monotonic(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, seconds: float) -> bool:
        with self.lock:
            self.waits.append(seconds)
        return self.stopped


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate_limiter, "time", clock)
    return clock


def rate_limiter_for(rate: float, clock: Clock) -> RateLimiter:
    return RateLimiter(rate, stop=clock)  # type: ignore[arg-type]


def test_wait__slots_are_evenly_srate_limiter_for(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    for _ in range(4):
        limiter.wait()
    assert clock.waits == pytest.approx([0.1, 0.2, 0.3])


def test_wait__unused_slots_are_lost(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    limiter.wait()
    clock.now += 60
    for _ in range(3):
        limiter.wait()
    assert clock.waits == pytest.approx([0.1, 0.2])


def test_wait__threads_share_the_rate(clock: Clock) -> None:
    limiter = rate_limiter_for(100, clock)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(limiter.wait) for _ in range(101)]:
            done.result()
    assert max(clock.waits) == pytest.approx(1)
    assert len({round(seconds, 3) for seconds in clock.waits}) == 100


def test_pause__delays_all_waits(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    limiter.pause(5)
    limiter.wait()
    limiter.wait()
    assert clock.waits == pytest.approx([5, 5.1])


def test_pause__during_a_wait(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    limiter.wait()
    original = clock.wait

    def pause_and_wait(seconds: float) -> bool:
        if not clock.waits:
            limiter.pause(7)
        return original(seconds)

    clock.wait = pause_and_wait  # type: ignore[method-assign]
    limiter.wait()
    assert clock.waits == pytest.approx([0.1, 7])


def test_wait__long_pause_raises(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    limiter.pause(3600)
    with pytest.raises(RequestSkipped, match="no requests for 3600 seconds") as raised:
        limiter.wait()
    assert raised.value.again_in == 3600
    assert limiter.is_closed


def test_wait__after_a_long_pause(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    limiter.pause(3600)
    clock.now += 3600
    assert not limiter.is_closed
    limiter.wait()


def test_wait__stopped_run_raises(clock: Clock) -> None:
    limiter = rate_limiter_for(10, clock)
    clock.stopped = True
    with pytest.raises(RequestSkipped) as raised:
        limiter.wait()
    assert raised.value.again_in == 0
    assert limiter.is_closed


def test_wait__stop_wakes_waiting_threads() -> None:
    stop = threading.Event()
    limiter = RateLimiter(0.001, stop=stop)
    limiter.wait()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(limiter.wait) for _ in range(4)]
        stop.set()
        assert [type(done.exception(timeout=60)) for done in waiting] == [RequestSkipped] * 4


@pytest.mark.django_db(transaction=True)
class TestTooManyRequests:
    def test_run__short_pause(self, messente: Messente) -> None:
        message = due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "0"})
        messente.answer(FIRST, REPORT, "OK DELIVERED")
        summary = Poller().run()
        assert (summary.asked, summary.final, summary.failed) == (1, 1, 0)
        assert seen(message).status == "delivered"

    def test_run__429_for_every_attempt(self, messente: Messente) -> None:
        message = due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "0"})
        summary = Poller().run()
        assert (summary.asked, summary.open, summary.failed) == (1, 1, 1)
        assert len(messente.calls) == 3
        assert seen(message).poll_count == 1

    def test_run__long_pause_ends_the_run(self, messente: Messente) -> None:
        messages = [due(poll_count=0) for _ in range(5)]
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "1000"})
        poller = Poller(concurrency=1, batch_size=2)
        before = timezone.now()
        summary = poller.run()
        assert len(messente.calls) == 1
        assert (summary.asked, summary.failed) == (1, 1)
        rows = [seen(message) for message in messages]
        assert sorted(row.poll_count for row in rows) == [0, 0, 0, 0, 1]
        # Claimed messages are due after the pause. The others stay due for any poller.
        postponed = [row for row in rows if row.next_poll_at and row.next_poll_at > before]
        assert summary.postponed == len(postponed) - 1
        assert count_due() == 5 - len(postponed)

        make_due(*messages)
        second = poller.run()
        assert (second.asked, len(messente.calls)) == (0, 1)

    @pytest.mark.parametrize("retry_after", ["86400", "9" * 20, "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_run__pause_is_limited_to_an_hour(self, messente: Messente, retry_after: str) -> None:
        for _ in range(3):
            due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": retry_after})
        summary = Poller(concurrency=1).run()
        assert (summary.asked, summary.postponed) == (1, 2)
        in_an_hour = timezone.now() + timedelta(hours=1)
        assert PendingPoll.objects.due(in_an_hour).count() == 3

    def test_run__pause_applies_to_all_threads(self, messente: Messente) -> None:
        for _ in range(20):
            due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "1000"})
        summary = Poller(concurrency=4).run()
        assert summary.asked <= 4
        assert len(messente.calls) <= 4


@pytest.mark.django_db(transaction=True)
def test_run__postponed_message_is_not_unresolved(messente: Messente, settings: Any) -> None:
    """A request that was not sent does not change the message."""
    message = due(ago=timedelta(hours=48))
    stop = threading.Event()
    stop.set()
    summary = Poller(stop=stop).run()
    assert (summary.asked, summary.unresolved) == (0, 0)
    assert (seen(message).status, seen(message).poll_count) == ("sent", 0)


@pytest.mark.django_db(transaction=True)
class TestStop:
    def test_run__stop_records_running_requests(self, messente: Messente) -> None:
        messages = [due() for _ in range(10)]
        stop = threading.Event()

        def answer(request: object) -> tuple[int, dict[str, str], str]:
            stop.set()
            return 200, {}, "OK DELIVERED"

        messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
        summary = Poller(stop=stop, concurrency=1, batch_size=6).run()
        assert (summary.asked, summary.final, summary.postponed) == (1, 1, 5)
        assert count_due() == 9
        assert sorted(seen(message).status for message in messages) == ["delivered", *["sent"] * 9]


def count_due() -> int:
    from django_messente_dlr.models import SmsMessage

    return SmsMessage.objects.due(timezone.now()).count()
