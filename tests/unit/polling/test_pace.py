"""How fast is asked: a rate that all threads share, and Messente's own wish for fewer questions."""

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
from django_messente_dlr.utils.rate_limiter import PollSkipped, RateLimiter
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, make_due, seen


class Clock:
    """A clock on which waiting takes no time, and a Event that waits by it. Safe to share."""

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


def paced(rate: float, clock: Clock) -> RateLimiter:
    return RateLimiter(rate, stop=clock)  # type: ignore[arg-type]


def test_questions_are_spread_evenly(clock: Clock) -> None:
    shared = paced(10, clock)
    for _ in range(4):
        shared.wait()
    assert clock.waits == pytest.approx([0.1, 0.2, 0.3])


def test_time_without_questions_saves_none_up(clock: Clock) -> None:
    shared = paced(10, clock)
    shared.wait()
    clock.now += 60
    for _ in range(3):
        shared.wait()
    assert clock.waits == pytest.approx([0.1, 0.2])


def test_the_threads_share_one_rate(clock: Clock) -> None:
    shared = paced(100, clock)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(shared.wait) for _ in range(101)]:
            done.result()
    assert max(clock.waits) == pytest.approx(1)
    assert len({round(seconds, 3) for seconds in clock.waits}) == 100


def test_nobody_passes_during_a_pause(clock: Clock) -> None:
    shared = paced(10, clock)
    shared.pause(5)
    shared.wait()
    shared.wait()
    assert clock.waits == pytest.approx([5, 5.1])


def test_who_waits_already_when_a_pause_is_called_waits_for_its_end(clock: Clock) -> None:
    shared = paced(10, clock)
    shared.wait()
    real = clock.wait

    def meanwhile(seconds: float) -> bool:
        if not clock.waits:
            shared.pause(7)
        return real(seconds)

    clock.wait = meanwhile  # type: ignore[method-assign]
    shared.wait()
    assert clock.waits == pytest.approx([0.1, 7])


def test_a_long_pause_is_not_waited_for(clock: Clock) -> None:
    shared = paced(10, clock)
    shared.pause(3600)
    with pytest.raises(PollSkipped, match="no requests for 3600 seconds") as raised:
        shared.wait()
    assert raised.value.again_in == 3600
    assert shared.is_closed


def test_when_a_long_pause_is_over_all_goes_on(clock: Clock) -> None:
    shared = paced(10, clock)
    shared.pause(3600)
    clock.now += 3600
    assert not shared.is_closed
    shared.wait()


def test_an_end_lets_nobody_pass(clock: Clock) -> None:
    shared = paced(10, clock)
    clock.stopped = True
    with pytest.raises(PollSkipped) as raised:
        shared.wait()
    assert raised.value.again_in == 0
    assert shared.is_closed


def test_an_end_wakes_those_who_wait() -> None:
    stop = threading.Event()
    shared = RateLimiter(0.001, stop=stop)
    shared.wait()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(shared.wait) for _ in range(4)]
        stop.set()
        assert [type(done.exception(timeout=60)) for done in waiting] == [PollSkipped] * 4


@pytest.mark.django_db(transaction=True)
class TestMessenteWantsFewerQuestions:
    def test_a_question_is_asked_again_after_a_short_pause(self, messente: Messente) -> None:
        message = due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "0"})
        messente.answer(FIRST, REPORT, "OK DELIVERED")
        summary = Poller().run()
        assert (summary.asked, summary.final, summary.failed) == (1, 1, 0)
        assert seen(message).status == "delivered"

    def test_a_question_that_is_never_taken_fails(self, messente: Messente) -> None:
        message = due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "0"})
        summary = Poller().run()
        assert (summary.asked, summary.open, summary.failed) == (1, 1, 1)
        assert len(messente.calls) == 3
        assert seen(message).poll_count == 1

    def test_a_long_pause_ends_the_run_and_keeps_the_others_for_later(self, messente: Messente) -> None:
        messages = [due(poll_count=0) for _ in range(5)]
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "1000"})
        poller = Poller(concurrency=1, batch_size=2)
        before = timezone.now()
        summary = poller.run()
        assert len(messente.calls) == 1
        assert (summary.asked, summary.failed) == (1, 1)
        rows = [seen(message) for message in messages]
        assert sorted(row.poll_count for row in rows) == [0, 0, 0, 0, 1]
        # What was claimed waits for the end of the pause; what was not is due to whoever may ask.
        waiting = [row for row in rows if row.next_poll_at and row.next_poll_at > before]
        assert summary.postponed == len(waiting) - 1
        assert still_due() == 5 - len(waiting)

        make_due(*messages)
        again = poller.run()
        assert (again.asked, len(messente.calls)) == (0, 1)

    @pytest.mark.parametrize("wish", ["86400", "9" * 20, "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_no_pause_is_longer_than_an_hour_whatever_messente_names(self, messente: Messente, wish: str) -> None:
        for _ in range(3):
            due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": wish})
        summary = Poller(concurrency=1).run()
        assert (summary.asked, summary.postponed) == (1, 2)
        in_an_hour = timezone.now() + timedelta(hours=1)
        assert PendingPoll.objects.due(in_an_hour).count() == 3

    def test_the_wish_of_one_thread_holds_all_of_them(self, messente: Messente) -> None:
        for _ in range(20):
            due()
        messente.answer(FIRST, REPORT, status=429, headers={"Retry-After": "1000"})
        summary = Poller(concurrency=4).run()
        assert summary.asked <= 4
        assert len(messente.calls) <= 4


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_put_off_is_not_nearer_to_its_end(messente: Messente, settings: Any) -> None:
    """That Messente could not be asked says nothing about the message."""
    message = due(ago=timedelta(hours=48))
    stop = threading.Event()
    stop.set()
    claimed = Poller(stop=stop).run()
    assert (claimed.asked, claimed.unresolved) == (0, 0)
    assert (seen(message).status, seen(message).poll_count) == ("sent", 0)


@pytest.mark.django_db(transaction=True)
class TestTheEndOfARun:
    def test_what_is_being_asked_is_recorded_and_the_rest_given_back(self, messente: Messente) -> None:
        messages = [due() for _ in range(10)]
        stop = threading.Event()

        def answer(request: object) -> tuple[int, dict[str, str], str]:
            stop.set()
            return 200, {}, "OK DELIVERED"

        messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
        summary = Poller(stop=stop, concurrency=1, batch_size=6).run()
        assert (summary.asked, summary.final, summary.postponed) == (1, 1, 5)
        assert still_due() == 9
        assert sorted(seen(message).status for message in messages) == ["delivered", *["sent"] * 9]


def still_due() -> int:
    from django_messente_dlr.models import SmsMessage

    return SmsMessage.objects.due(timezone.now()).count()
