"""Intervals between local times are those of UTC, and no time that was shifted is reached early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_messente_dlr.utils.times import elapsed, shift, to_db_datetime, to_utc

ZONES = ["Europe/Tallinn", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"]
HOUR = timedelta(hours=1)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
# In Tallinn, 03:59 is followed by 03:00 at this time.
around_change = st.timedeltas(-3 * HOUR, 3 * HOUR).map(
    lambda distance: datetime(2026, 10, 25, 1, tzinfo=UTC) + distance
)
intervals = st.timedeltas(-HOUR * 72, HOUR * 72) | st.timedeltas(-HOUR, HOUR)
each_form = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, settings: Any) -> ZoneInfo:
    settings.USE_TZ = False
    settings.TIME_ZONE = request.param
    return ZoneInfo(request.param)


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a time as `timezone.now` does without USE_TZ."""
    return moment.astimezone(zone).replace(tzinfo=None)


@each_form
@given(moment=moments | around_change, interval=intervals)
def test_shift__of_a_local_time(zone: ZoneInfo, moment: datetime, interval: timedelta) -> None:
    shifted = shift(local(moment, zone), interval)
    assert timezone.is_naive(shifted)
    difference = shifted.replace(tzinfo=zone).astimezone(UTC) - moment - interval
    is_repeated = local(moment + interval, zone) in {shifted - HOUR, shifted - HOUR / 2, shifted + HOUR}
    assert difference == timedelta(0) or (is_repeated and abs(difference) <= HOUR)


@each_form
@given(
    moment=moments | around_change, interval=st.timedeltas(timedelta(seconds=1), 3 * HOUR), share=st.floats(0, 0.999)
)
def test_shift__is_not_reached_early(zone: ZoneInfo, moment: datetime, interval: timedelta, share: float) -> None:
    assert local(moment + share * interval, zone) < shift(local(moment, zone), interval)


@each_form
@given(moment=moments | around_change, interval=intervals)
def test_shift__of_an_aware_time(moment: datetime, interval: timedelta) -> None:
    for zone in map(ZoneInfo, ZONES):
        assert shift(moment.astimezone(zone), interval) - moment == interval


@each_form
@given(moment=moments | around_change, interval=st.timedeltas(timedelta(0), 72 * HOUR))
def test_elapsed__of_local_times(zone: ZoneInfo, moment: datetime, interval: timedelta) -> None:
    start, end = local(moment, zone), local(moment + interval, zone)
    passed = elapsed(start, end)
    assert passed == elapsed(start.replace(tzinfo=zone), end.replace(tzinfo=zone)) == interval or (
        # One of the two can be an hour later.
        timedelta(0) <= passed <= interval <= passed + HOUR
    )


def test_shift__keeps_a_known_occurrence(settings: Any) -> None:
    settings.USE_TZ = False
    shifted = shift(datetime(2026, 10, 25, 12), timedelta(hours=-8, minutes=-30))  # noqa: DTZ001
    assert (shifted.isoformat(), shifted.fold) == ("2026-10-25T03:30:00", 1)
    assert shift(shifted, timedelta(minutes=5)).isoformat() == "2026-10-25T03:35:00"


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-03-29T02:30", "2026-03-29T04:30", 60),
        ("2026-10-25T02:30", "2026-10-25T04:30", 180),
        ("2026-10-24T12:00", "2026-10-26T12:00", 49 * 60),
        ("2026-10-25T03:50", "2026-10-25T03:10", 20),
        ("2026-10-25T03:10", "2026-10-25T03:15", 5),
        ("2026-10-25T12:00", "2026-10-25T11:00", -60),
    ],
)
def test_elapsed__across_a_change_in_tallinn(settings: Any, start: str, end: str, minutes: int) -> None:
    settings.USE_TZ = False
    passed = elapsed(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert passed == timedelta(minutes=minutes)


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("text", ["2026-07-01T12:00", "2026-07-01T12:00+03:00", "2026-07-01T09:00+00:00"])
def test_to_db_datetime(settings: Any, text: str, *, use_tz: bool) -> None:
    """A naive time is in TIME_ZONE (Tallinn), whatever time zone is activated."""
    settings.USE_TZ = use_tz
    with timezone.override("America/New_York"):
        stored = to_db_datetime(datetime.fromisoformat(text))
        assert to_utc(stored) == datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert stored.isoformat() == ("2026-07-01T09:00:00+00:00" if use_tz else "2026-07-01T12:00:00")
