"""Hours and days begin where they begin in TIME_ZONE, also where that differs from UTC by less than whole hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_messente_dlr.admin.statistics import PERIODS, load_buckets
from django_messente_dlr.maintenance.statistics import update_statistics
from django_messente_dlr.maintenance.status_counts import merge
from django_messente_dlr.models import MessageStatistics
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db

ZONES = ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Eucla", "America/St_Johns", "Europe/Tallinn", "UTC"]
SECOND = timedelta(seconds=1)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, settings: Any) -> ZoneInfo:
    settings.TIME_ZONE = request.param
    return ZoneInfo(request.param)


def local_totals(span: str, zone: ZoneInfo) -> dict[str, int]:
    """Return the number of messages of each hour or day that has any, by its start as a local time."""
    rows = MessageStatistics.objects.filter(span=span).order_by("starts_at")
    totals = {row.starts_at.astimezone(zone).isoformat(" ", "seconds")[:16]: merge([row.data]).total for row in rows}
    return {start: total for start, total in totals.items() if total}


def test_update_statistics__hour_is_local(zone: ZoneInfo) -> None:
    ten = datetime(2026, 3, 4, 10, tzinfo=zone)
    for created_at in (ten - SECOND, ten, ten + timedelta(minutes=20), ten + timedelta(minutes=59, seconds=59)):
        SmsMessageFactory.create(created_at=created_at)
    assert update_statistics(datetime(2026, 3, 4, 12, 40, tzinfo=zone)) == 4
    assert local_totals("hour", zone) == {"2026-03-04 09:00": 1, "2026-03-04 10:00": 3}
    assert {row.starts_at.astimezone(zone).minute for row in MessageStatistics.objects.all()} == {0}


def test_update_statistics__day_is_local(zone: ZoneInfo) -> None:
    midnight = datetime(2026, 3, 4, tzinfo=zone)
    for created_at in (midnight - SECOND, midnight, midnight + timedelta(minutes=20)):
        SmsMessageFactory.create(created_at=created_at)
    update_statistics(datetime(2026, 3, 4, 12, 40, tzinfo=zone))
    assert local_totals("day", zone) == {"2026-03-03 00:00": 1, "2026-03-04 00:00": 2}


BARS = {
    "24h": {"2026-03-03 23:00": 1, "2026-03-04 00:00": 2},
    "7d": {"2026-03-03 18:00": 1, "2026-03-04 00:00": 2},
    "30d": {"2026-03-03 00:00": 1, "2026-03-04 00:00": 2},
}


def test_load_buckets__bars_are_local(zone: ZoneInfo) -> None:
    """One update of the statistics serves all periods: it takes longer than the rest of the test."""
    midnight = datetime(2026, 3, 4, tzinfo=zone)
    for created_at in (midnight - SECOND, midnight, midnight + timedelta(minutes=20)):
        SmsMessageFactory.create(created_at=created_at)
    now = datetime(2026, 3, 4, 12, 40, tzinfo=zone)
    update_statistics(now)
    for period, starts in BARS.items():
        bars = {f"{bar.starts_at:%Y-%m-%d %H:%M}": bar.count.total for bar in load_buckets(PERIODS[period], now=now)}
        assert {start: total for start, total in bars.items() if total} == starts, period


def test_load_buckets__ignores_the_activated_time_zone(settings: Any) -> None:
    """The days of the rows are those of TIME_ZONE, whatever time zone a middleware activates for a user."""
    settings.TIME_ZONE = "Asia/Kathmandu"
    SmsMessageFactory.create(created_at=datetime(2026, 3, 3, 20, tzinfo=UTC))
    now = datetime(2026, 3, 4, 12, 40, tzinfo=UTC)
    update_statistics(now)
    with timezone.override("America/New_York"):
        *_, bar = load_buckets(PERIODS["30d"], now=now)
    assert (bar.starts_at.isoformat(), bar.count.total) == ("2026-03-04T00:00:00+05:45", 1)


@pytest.mark.parametrize(
    ("name", "now", "hours"),
    [
        # 02:00+11:00 becomes 01:30+10:30: the hour from 1 to 2 lasts 90 minutes.
        ("Australia/Lord_Howe", "2026-04-04T16:10:00+00:00", ["14:00", "15:30"]),
        ("Australia/Lord_Howe", "2026-04-04T15:20:00+00:00", ["14:00"]),
        # 02:00+10:30 becomes 02:30+11:00: the hour from 2 to 3 lasts 30 minutes.
        ("Australia/Lord_Howe", "2026-10-03T16:10:00+00:00", ["14:30", "15:30", "16:00"]),
        ("Australia/Lord_Howe", "2026-10-03T15:40:00+00:00", ["14:30", "15:30"]),
        # 03:00-02:30 becomes 02:00-03:30: two hours have the same local name.
        ("America/St_Johns", "2026-11-01T05:40:00+00:00", ["03:30", "04:30", "05:30"]),
    ],
)
def test_update_statistics__clock_is_changed(name: str, now: str, hours: list[str], settings: Any) -> None:
    settings.TIME_ZONE = name
    moment = datetime.fromisoformat(now)
    first = moment.replace(hour=int(hours[0][:2]), minute=int(hours[0][3:]))
    minutes = int((moment - first) / timedelta(minutes=10)) + 1
    for number in range(minutes):
        SmsMessageFactory.create(created_at=first + number * timedelta(minutes=10))
    update_statistics(moment)
    rows = MessageStatistics.objects.filter(span="hour").order_by("starts_at")
    assert [f"{row.starts_at.astimezone(UTC):%H:%M}" for row in rows] == hours
    assert merge(row.data for row in rows).total == minutes
    assert update_statistics(moment) == 0


def test_update_statistics__time_zone_was_changed(settings: Any) -> None:
    """The rows of the former time zone overlap the new hours and days, so they are replaced."""
    now = datetime(2026, 3, 4, 12, 40, tzinfo=UTC)
    for hours in range(0, 30, 3):
        SmsMessageFactory.create(created_at=now - timedelta(hours=hours))
    for name in ("Europe/Tallinn", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"):
        settings.TIME_ZONE = name
        update_statistics(now)
        zone = ZoneInfo(name)
        for span in ("hour", "day"):
            assert sum(local_totals(span, zone).values()) == 10
        assert {start[11:] for start in local_totals("day", zone)} == {"00:00"}


def test_update_statistics__without_time_zone_support(settings: Any) -> None:
    settings.USE_TZ = False
    now = datetime(2026, 3, 4, 12, 40)  # noqa: DTZ001 - naive, as timezone.now() is then
    for created_at in (now, now - timedelta(hours=13)):
        SmsMessageFactory.create(created_at=created_at)
    assert update_statistics(now) == 14
    rows = MessageStatistics.objects.order_by("span", "starts_at")
    totals = [(row.span, f"{row.starts_at:%d %H:%M}", merge([row.data]).total) for row in rows]
    assert [total for total in totals if total[-1]] == [
        ("day", "03 00:00", 1),
        ("day", "04 00:00", 1),
        ("hour", "03 23:00", 1),
        ("hour", "04 12:00", 1),
    ]
