from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 40, tzinfo=timezone.get_fixed_timezone(0))


def send(ago: timedelta, status: Status = Status.DELIVERED, *, took: float = 3, **attributes: object) -> SmsMessage:
    sent = NOW - ago
    ended = sent + timedelta(seconds=took) if status.is_final else None
    return SmsMessageFactory.create(
        created_at=sent, sent_at=sent, status=status, finalised_at=ended, recipient="+37255500000", **attributes
    )


def clock(*, seconds: float) -> Callable[[], float]:
    """Return a clock on which so many seconds pass each time somebody looks at it."""
    moments = itertools.count(step=seconds)
    return lambda: next(moments)


def count(later: timedelta = timedelta(0)) -> statistics.StatusCounts:
    """Count, and return what the hours say together."""
    statistics.update_statistics(NOW + later)
    return statistics.merge(MessageStatistics.objects.filter(span="hour").values_list("data", flat=True))


def test_what_became_of_messages_is_counted_by_account_prefix_and_cause() -> None:
    send(timedelta(minutes=1))
    send(timedelta(hours=5), Status.REJECTED, err=7, account="marketing")
    send(timedelta(days=3), Status.FAILED)
    send(timedelta(minutes=2), Status.SENT)
    counted = count()
    assert counted.by_account == {"default": {"delivered": 1, "failed": 1, "sent": 1}, "marketing": {"rejected": 1}}
    assert counted.by_prefix == {"+372": {"delivered": 1, "failed": 1, "sent": 1, "rejected": 1}}
    assert counted.causes == {"7": 1, "": 1}
    assert counted.total == 4


def test_days_are_the_sum_of_their_hours_in_the_projects_own_time_zone() -> None:
    send(timedelta(hours=14, minutes=20))  # 22:20 UTC is 00:20 in Tallinn: today
    send(timedelta(hours=14, minutes=50))  # 23:50 the day before
    count()
    days = MessageStatistics.objects.filter(span="day").order_by("starts_at")
    assert [timezone.localtime(day.starts_at).isoformat() for day in days] == [
        "2026-03-03T00:00:00+02:00",
        "2026-03-04T00:00:00+02:00",
    ]
    assert [statistics.merge([day.data]).total for day in days] == [1, 1]


def test_an_hour_is_counted_again_while_its_messages_may_move() -> None:
    message = send(timedelta(minutes=1), Status.SENT)
    assert count().statuses == {"sent": 1}
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.DELIVERED, rank=Status.DELIVERED.rank)
    assert count(timedelta(seconds=5)).statuses == {"sent": 1}
    assert count(timedelta(seconds=30)).statuses == {"delivered": 1}
    days = MessageStatistics.objects.filter(span="day").values_list("data", flat=True)
    assert statistics.merge(days).statuses == {"delivered": 1}


def test_an_hour_is_counted_until_the_last_of_its_messages_has_ended() -> None:
    """One that was to be sent a day later has its end a day after the others."""
    message = send(timedelta(hours=1), Status.SENT)
    assert count(timedelta(hours=71)).statuses == {"sent": 1}
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.UNRESOLVED, rank=Status.UNRESOLVED.rank)
    assert count(timedelta(hours=78)).statuses == {"unresolved": 1}
    before = MessageStatistics.objects.filter(span="hour", data__accounts__has_key="default").get().counted_at
    count(timedelta(hours=90))
    assert MessageStatistics.objects.filter(span="hour", data__accounts__has_key="default").get().counted_at == before


def test_what_was_counted_lately_is_left_alone(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    send(timedelta(hours=9))
    assert statistics.update_statistics(NOW) == 10
    with django_assert_num_queries(3):  # old tallies, those that are there, the first message
        assert statistics.update_statistics(NOW + timedelta(seconds=1)) == 0


def test_what_was_pruned_stays_counted() -> None:
    message = send(timedelta(hours=1))
    send(timedelta(hours=1), Status.FAILED)
    count()
    message.delete()
    assert count(timedelta(hours=2)).statuses == {"delivered": 1, "failed": 1}


def test_more_than_a_month_is_neither_counted_nor_kept() -> None:
    send(timedelta(days=40))
    MessageStatistics.objects.create(span="hour", starts_at=NOW - timedelta(days=33), counted_at=NOW)
    count()
    assert MessageStatistics.objects.filter(span="hour").earliest("starts_at").starts_at > NOW - timedelta(days=32)


def test_a_long_past_is_counted_in_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "monotonic", clock(seconds=1.5))  # looked at twice for each hour
    send(timedelta(hours=5))
    assert [statistics.update_statistics(NOW) for _ in range(3)] == [3, 3, 0]
    assert count().total == 1


def test_an_hour_that_takes_long_to_count_is_counted_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "monotonic", clock(seconds=4))
    message = send(timedelta(minutes=1), Status.SENT)
    count()
    SmsMessage.objects.filter(pk=message.pk).update(status=Status.DELIVERED, rank=Status.DELIVERED.rank)
    assert count(timedelta(seconds=100)).statuses == {"sent": 1}
    assert count(timedelta(seconds=130)).statuses == {"delivered": 1}


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 10), (0.95, 100)])
def test_times_to_the_end_are_told_within_a_sixth(share: float, seconds: float) -> None:
    for took in [1] * 9 + [10] * 9 + [100] * 2:
        send(timedelta(minutes=10), took=took)
    told = count().seconds_within(share)
    assert told is not None
    assert seconds <= told <= seconds * 1.18


def test_where_nothing_has_ended_there_is_no_time() -> None:
    send(timedelta(minutes=10), Status.SENT)
    assert count().seconds_within(0.5) is None


def test_an_end_before_its_beginning_and_one_after_any_bound_are_counted_too() -> None:
    send(timedelta(minutes=10), took=-5)
    send(timedelta(hours=70), took=69 * 3600)
    counted = count()
    assert counted.seconds_within(0.1) == 1.0
    assert counted.seconds_within(1) == statistics.BUCKETS[-1]


def test_it_is_told_when_the_newest_hour_was_counted() -> None:
    assert statistics.last_updated_at() is None
    count()
    assert statistics.last_updated_at() == NOW
