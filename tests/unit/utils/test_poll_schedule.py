"""When to ask about a message: growing intervals, one last question, and never after the window has closed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.utils.poll_schedule import REPORT_RETENTION, first_poll_at, next_poll_at
from tests.unit.messente.storable import unhurried

SENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
EXPIRES_AT = SENT + timedelta(hours=48)
LAST = EXPIRES_AT - timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
moments = st.floats(0, 1).map(lambda part: SENT + part * (EXPIRES_AT - SENT))
polls = st.integers(0, 10**6)


def test_messente_keeps_reports_for_48_hours() -> None:
    assert timedelta(hours=48) == REPORT_RETENTION


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ({"CALLBACK_BASE_URL": "https://shop.example.com"}, 600),
        ({}, 30),
        ({"CALLBACK_BASE_URL": "https://shop.example.com", "POLL_GRACE": 5}, 5),
        ({"POLL_GRACE": 5, "POLL_GRACE_WITHOUT_CALLBACK": 0}, 0),
    ],
)
def test_the_first_question_waits_longer_where_messente_will_call_by_itself(
    written: dict[str, Any], seconds: int
) -> None:
    with override_settings(MESSENTE_DLR=written):
        assert first_poll_at(SENT) == SENT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked", "interval"),
    [
        (0, 1),
        (1, 2),
        (2, 4),
        (3, 8),
        (4, 16),
        (5, 32),
        (6, 64),
        (7, 128),
        (8, 240),
        (9, 240),
        (10, 240),
        (10**6, 240),
    ],
)
@pytest.mark.parametrize("edge", [0.9, 1.0, 1.1])
def test_intervals_double_from_a_minute_to_four_hours_with_a_tenth_of_jitter(
    asked: int, interval: int, edge: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: sorted([low, edge, high])[1])
    assert next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=asked) == SENT + interval * MINUTE * edge


@unhurried
@given(now=moments, asked=polls)
def test_the_jitter_is_a_tenth_at_most(now: datetime, asked: int) -> None:
    at = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=asked)
    interval = min(MINUTE * 2 ** min(asked, 20), timedelta(hours=4))
    if at < LAST:
        assert 0.9 * interval - timedelta(microseconds=1) <= at - now <= 1.1 * interval + timedelta(microseconds=1)


def test_the_jitter_spreads_what_was_sent_together() -> None:
    assert len({next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=0) for _ in range(50)}) > 1


@unhurried
@given(now=moments, asked=polls)
def test_no_question_is_asked_after_the_window_closes_or_sooner_than_messente_allows(
    now: datetime, asked: int
) -> None:
    """After «FAILED 102» Messente wants to be asked again after 5 seconds at the earliest."""
    at = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=asked)
    assert at <= EXPIRES_AT
    assert at == EXPIRES_AT or at >= now + timedelta(seconds=5)


@unhurried
@given(asked=st.integers(0, 20))
def test_the_last_question_comes_once_and_shortly_before_the_window_closes(asked: int) -> None:
    now, questions = SENT, list[datetime]()
    while now < EXPIRES_AT:
        now = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=asked + len(questions))
        questions.append(now)
    *_, last, end = questions
    assert end == EXPIRES_AT
    assert LAST - timedelta(seconds=5) < last <= LAST
    # 48 hours: eight doublings to four hours, then every four hours or so, and the last.
    assert len(questions) <= 26


@unhurried
@given(asked=st.integers(0, 6))
def test_intervals_grow_whatever_the_jitter(asked: int) -> None:
    first, second = (next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=number) for number in (asked, asked + 1))
    assert first < second


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LAST - timedelta(seconds=30), LAST),
        (LAST - timedelta(seconds=5), LAST),
        (LAST - timedelta(seconds=4), EXPIRES_AT),
        (LAST, EXPIRES_AT),
        (LAST + timedelta(seconds=1), EXPIRES_AT),
        (EXPIRES_AT, EXPIRES_AT),
        (EXPIRES_AT + timedelta(days=1), EXPIRES_AT),
    ],
)
def test_around_the_end_the_next_question_is_the_last_or_the_end(now: datetime, expected: datetime) -> None:
    assert next_poll_at(now=now, expires_at=EXPIRES_AT, polls=0) == expected
