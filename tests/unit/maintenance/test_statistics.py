from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.maintenance import statistics
from django_messente_dlr.maintenance.status_counts import BUCKETS, StatusCounts, merge
from django_messente_dlr.models import MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.utils.phone_numbers import calling_code

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 40, tzinfo=timezone.get_fixed_timezone(0))


def send(ago: timedelta, status: Status = Status.DELIVERED, *, took: float = 3, **attributes: object) -> SmsMessage:
    sent_at = NOW - ago
    finalised_at = sent_at + timedelta(seconds=took) if status.is_final else None
    return SmsMessageFactory.create(
        **{
            "created_at": sent_at,
            "sent_at": sent_at,
            "status": status,
            "finalised_at": finalised_at,
            "recipient": "+37255500000",
            **attributes,
        }
    )


def clock(*, seconds: float) -> Callable[[], float]:
    """Return a clock that moves on by so many seconds each time it is read."""
    moments = itertools.count(step=seconds)
    return lambda: next(moments)


def count(later: timedelta = timedelta(0)) -> StatusCounts:
    """Count the messages and return the sum of all hours."""
    statistics.update_statistics(NOW + later)
    return merge(MessageStatistics.objects.filter(span="hour").values_list("data", flat=True))


def test_update_statistics__account_prefix_and_cause() -> None:
    send(timedelta(minutes=1))
    send(timedelta(hours=5), Status.REJECTED, err=7, account="marketing")
    send(timedelta(days=3), Status.FAILED)
    send(timedelta(minutes=2), Status.SENT)
    counted = count()
    assert counted.by_account == {"default": {"delivered": 1, "failed": 1, "sent": 1}, "marketing": {"rejected": 1}}
    assert counted.by_prefix == {"+372": {"delivered": 1, "failed": 1, "sent": 1, "rejected": 1}}
    assert counted.causes == {"7": 1, "": 1}
    assert counted.total == 4


@pytest.mark.parametrize(
    ("recipient", "prefix"),
    [
        ("+37255500000", "+372"),
        ("37255500000", "+372"),
        ("0037255500000", "+372"),
        ("+0037255500000", "+372"),
        ("+12025550100", "+1"),
        ("0012025550100", "+1"),
        ("+4915550000000", "+49"),
        ("+37", ""),
        ("0037", ""),
        ("", ""),
        ("00037255500000", ""),
        ("++37255500000", ""),
        ("00+37255500000", ""),
        ("Shop", ""),
    ],
)
def test_update_statistics__spelling_of_recipient(recipient: str, prefix: str) -> None:
    send(timedelta(minutes=1), recipient=recipient)
    assert list(count().by_prefix) == [prefix] == [calling_code(recipient)]


@pytest.mark.parametrize(
    ("took", "bucket"),
    [
        (-5, 0),
        (0, 0),
        (1, 0),
        (1.000001, 1),
        (1.2, 1),
        (1.200001, 2),
        (BUCKETS[40], 40),
        (BUCKETS[40] + 0.001, 41),
        (BUCKETS[-1], len(BUCKETS) - 1),
        (BUCKETS[-1] + 1, len(BUCKETS)),
    ],
)
def test_update_statistics__limits_of_buckets(took: float, bucket: int) -> None:
    send(timedelta(days=2), took=took)
    assert count().times == {bucket: 1}


def test_update_statistics__time_from_creation_if_not_sent() -> None:
    send(timedelta(minutes=1), took=30, sent_at=None)
    send(timedelta(minutes=5), took=250, sent_at=NOW - timedelta(minutes=1))
    assert count().times == {bisect_left(BUCKETS, 30): 1, bisect_left(BUCKETS, 10): 1}


@pytest.mark.parametrize("number", [1, 40])
def test_update_statistics__counts_in_the_database(number: int) -> None:
    """Every query about the messages of an hour returns groups, so their number of rows is bounded."""
    for _ in range(number):
        send(timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        assert statistics.update_statistics(NOW) == 1
    table = connection.ops.quote_name(SmsMessage._meta.db_table)
    _oldest, _newest, *counts = [query["sql"] for query in queries if f"FROM {table}" in query["sql"]]
    assert len(counts) == 2
    assert all("COUNT(" in sql and "GROUP BY" in sql for sql in counts)
    assert count().total == number


def test_update_statistics__day_is_sum_of_local_hours() -> None:
    send(timedelta(hours=14, minutes=20))  # 22:20 UTC is 00:20 in Tallinn: today
    send(timedelta(hours=14, minutes=50))  # 23:50 the day before
    count()
    days = MessageStatistics.objects.filter(span="day").order_by("starts_at")
    assert [timezone.localtime(day.starts_at).isoformat() for day in days] == [
        "2026-03-03T00:00:00+02:00",
        "2026-03-04T00:00:00+02:00",
    ]
    assert [merge([day.data]).total for day in days] == [1, 1]


def test_update_statistics__recounts_recent_hour() -> None:
    message = send(timedelta(minutes=1), Status.SENT)
    assert count().statuses == {"sent": 1}
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.DELIVERED, rank=Status.DELIVERED.rank)
    assert count(timedelta(seconds=5)).statuses == {"sent": 1}
    assert count(timedelta(seconds=30)).statuses == {"delivered": 1}
    days = MessageStatistics.objects.filter(span="day").values_list("data", flat=True)
    assert merge(days).statuses == {"delivered": 1}


def test_update_statistics__recounts_until_all_are_final() -> None:
    """A message that is sent a day after its creation becomes final a day after the others."""
    message = send(timedelta(hours=1), Status.SENT)
    assert count(timedelta(hours=71)).statuses == {"sent": 1}
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.UNRESOLVED, rank=Status.UNRESOLVED.rank)
    assert count(timedelta(hours=78)).statuses == {"unresolved": 1}
    before = MessageStatistics.objects.filter(span="hour", data__accounts__has_key="default").get().counted_at
    count(timedelta(hours=90))
    assert MessageStatistics.objects.filter(span="hour", data__accounts__has_key="default").get().counted_at == before


def test_update_statistics__skips_recent_count(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    send(timedelta(hours=9))
    assert statistics.update_statistics(NOW) == 10
    with django_assert_num_queries(3):  # delete old rows, read the others, find the first message
        assert statistics.update_statistics(NOW + timedelta(seconds=1)) == 0


def test_update_statistics__keeps_pruned_messages() -> None:
    message = send(timedelta(hours=1))
    send(timedelta(hours=1), Status.FAILED)
    count()
    message.delete()
    assert count(timedelta(hours=2)).statuses == {"delivered": 1, "failed": 1}


def test_update_statistics__limits_to_a_month() -> None:
    send(timedelta(days=40))
    MessageStatistics.objects.create(span="hour", starts_at=NOW - timedelta(days=33), counted_at=NOW)
    count()
    assert MessageStatistics.objects.filter(span="hour").earliest("starts_at").starts_at > NOW - timedelta(days=32)


def test_update_statistics__limits_time_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "monotonic", clock(seconds=1.5))  # read twice for each hour
    for hours in range(6):
        send(timedelta(hours=hours))
    assert [statistics.update_statistics(NOW) for _ in range(3)] == [3, 3, 0]
    assert count().total == 6


def test_update_statistics__empty_hours_take_no_query() -> None:
    days = 8
    send(timedelta(days=days))
    send(timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        assert statistics.update_statistics(NOW) == days * 24 + 1
    table = connection.ops.quote_name(SmsMessage._meta.db_table)
    # The oldest message, and for each of two hours: the message that is in it, and the two counts.
    assert sum(f"FROM {table}" in query["sql"] for query in queries) == 1 + 2 * 3
    rows = MessageStatistics.objects.filter(span="hour")
    assert (rows.count(), rows.filter(data={}).count()) == (days * 24 + 1, days * 24 - 1)
    assert count(timedelta(seconds=1)).total == 2


def test_update_statistics__recounts_slow_hour_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "monotonic", clock(seconds=4))
    message = send(timedelta(minutes=1), Status.SENT)
    count()
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.DELIVERED, rank=Status.DELIVERED.rank)
    assert count(timedelta(seconds=100)).statuses == {"sent": 1}
    assert count(timedelta(seconds=130)).statuses == {"delivered": 1}


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 10), (0.95, 100)])
def test_seconds_within__is_right_to_a_sixth(share: float, seconds: float) -> None:
    for took in [1] * 9 + [10] * 9 + [100] * 2:
        send(timedelta(minutes=10), took=took)
    limit = count().seconds_within(share)
    assert limit is not None
    assert seconds <= limit <= seconds * 1.18


def test_seconds_within__no_final_message() -> None:
    send(timedelta(minutes=10), Status.SENT)
    assert count().seconds_within(0.5) is None


def test_seconds_within__outside_of_all_buckets() -> None:
    send(timedelta(minutes=10), took=-5)
    send(timedelta(hours=70), took=69 * 3600)
    counted = count()
    assert counted.seconds_within(0.1) == 1.0
    assert counted.seconds_within(1) == BUCKETS[-1]


def test_last_updated_at__newest_hour() -> None:
    assert statistics.last_updated_at() is None
    count()
    assert statistics.last_updated_at() == NOW
