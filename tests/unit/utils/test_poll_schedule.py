"""The times of polls: growing intervals, one last poll, and no poll after the report has expired."""

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
poll_counts = st.integers(0, 10**6)


def test_report_retention__48_hours() -> None:
    assert timedelta(hours=48) == REPORT_RETENTION


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"CALLBACK_BASE_URL": "https://shop.example.com"}, 600),
        ({}, 30),
        ({"CALLBACK_BASE_URL": "https://shop.example.com", "POLL_GRACE": 5}, 5),
        ({"POLL_GRACE": 5, "POLL_GRACE_WITHOUT_CALLBACK": 0}, 0),
    ],
)
def test_first_poll_at__later_with_callbacks(config: dict[str, Any], seconds: int) -> None:
    with override_settings(MESSENTE_DLR=config):
        assert first_poll_at(SENT) == SENT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("polls", "interval"),
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
def test_next_poll_at__interval_doubles_up_to_four_hours(
    polls: int, interval: int, edge: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: sorted([low, edge, high])[1])
    assert next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=polls) == SENT + interval * MINUTE * edge


@unhurried
@given(now=moments, polls=poll_counts)
def test_next_poll_at__jitter_is_at_most_a_tenth(now: datetime, polls: int) -> None:
    poll_at = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=polls)
    interval = min(MINUTE * 2 ** min(polls, 20), timedelta(hours=4))
    if poll_at < LAST:
        assert (
            0.9 * interval - timedelta(microseconds=1) <= poll_at - now <= 1.1 * interval + timedelta(microseconds=1)
        )


def test_next_poll_at__jitter_spreads_polls() -> None:
    assert len({next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=0) for _ in range(50)}) > 1


@unhurried
@given(now=moments, polls=poll_counts)
def test_next_poll_at__never_too_late_or_too_early(now: datetime, polls: int) -> None:
    """After "FAILED 102", Messente documents 5 seconds as the earliest time of the next request."""
    poll_at = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=polls)
    assert poll_at <= EXPIRES_AT
    assert poll_at == EXPIRES_AT or poll_at >= now + timedelta(seconds=5)


@unhurried
@given(polls=st.integers(0, 20))
def test_next_poll_at__one_last_poll_before_expiry(polls: int) -> None:
    now, times = SENT, list[datetime]()
    while now < EXPIRES_AT:
        now = next_poll_at(now=now, expires_at=EXPIRES_AT, polls=polls + len(times))
        times.append(now)
    *_, last, after_expiry = times
    assert after_expiry == EXPIRES_AT
    assert LAST - timedelta(seconds=5) < last <= LAST
    # In 48 hours: eight doublings up to four hours, then about one every four hours, and the last one.
    assert len(times) <= 26


@unhurried
@given(polls=st.integers(0, 6))
def test_next_poll_at__interval_grows_with_any_jitter(polls: int) -> None:
    first, second = (next_poll_at(now=SENT, expires_at=EXPIRES_AT, polls=number) for number in (polls, polls + 1))
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
def test_next_poll_at__near_expiry(now: datetime, expected: datetime) -> None:
    assert next_poll_at(now=now, expires_at=EXPIRES_AT, polls=0) == expected
