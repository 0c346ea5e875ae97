"""Count messages by hour and by day, so that the admin's overview reads a few rows.

An hour is counted when it has no row yet, and again while its messages may still change: the older it is, the less
often. A second count gives the same result, so any number of processes may count at the same time, and no other code
has to record that a message changed. `MessageStatistics` is the only model that is written.

Hours and days begin where they begin in ``TIME_ZONE``. They are computed here and not by the database, because
MariaDB converts time zones only after their tables were loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import NamedTuple

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr.maintenance.status_counts import StatusCounts, count_messages, merge
from django_messente_dlr.models import MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.times import elapsed

HOUR = timedelta(hours=1)
RETENTION = timedelta(days=31)
# Messente keeps reports for 48 hours after the validity, by default 6 hours; the rest is for late reports. An hour
# with messages that are sent later, have a longer validity, or are not polled, is counted until they are final.
PENDING_PERIOD = timedelta(hours=72)
MIN_REFRESH_INTERVAL = timedelta(seconds=20)
# The refresh interval of an hour is its age divided by this.
AGE_PER_REFRESH = 20
# The refresh interval is at least this many times what the last count took: a busy hour is counted less often.
REFRESH_PER_COST = 30
# The poller, or the user of the admin, waits for a run.
MAX_RUN_SECONDS = 10.0

Span = MessageStatistics.Span


class LastCount(NamedTuple):
    """The last count of an hour: when it was, the seconds that it took, and the messages still pending."""

    at: datetime
    took: float
    pending: int


def update_statistics(now: datetime | None = None) -> int:
    """Count the hours of the last month that are due, and their days; return the number of hours.

    The newest hours are counted first. Those not counted within ``MAX_RUN_SECONDS`` are left to the next run.

    Args:
        now: the current time; None to read the clock.
    """
    now = now or timezone.now()
    oldest = now - RETENTION - timedelta(days=1)
    rows = MessageStatistics.objects.using(router.db_for_write(MessageStatistics))
    rows.filter(starts_at__lt=oldest).delete()
    last_counts, days = _read_rows()
    first = SmsMessage.objects.order_by("created_at").values_list("created_at", flat=True).first() or now
    deadline, updated, empty = monotonic() + MAX_RUN_SECONDS, [], []
    newest: datetime | None = None
    for start, end in _hours(max(first, now - RETENTION), now):
        if (last_count := last_counts.get(start)) is None:
            # One query finds all empty hours in front of a message. Counting each would take most of the first run.
            if newest is None or newest >= end:
                newest = _newest_before(end) or oldest
            if newest < start:
                empty.append(start)
                continue
        elif not _is_due(end, last_count, now=now):
            continue
        if (started := monotonic()) > deadline:
            break
        _write(Span.HOUR, start, count_messages(start, end), now=now, took=monotonic() - started)
        updated.append(start)
    # Another process may have counted them at the same time.
    new_rows = [MessageStatistics(span=Span.HOUR, starts_at=start, counted_at=now) for start in empty]
    rows.bulk_create(new_rows, ignore_conflicts=True)
    updated += empty
    missing = {day for day in map(_day_of, last_counts) if day not in days and day >= oldest}
    for day in missing.union(map(_day_of, updated)):
        hours = rows.filter(span=Span.HOUR, starts_at__gte=day, starts_at__lt=_day_of(day + HOUR * 36))
        _write(Span.DAY, day, merge(hours.values_list("data", flat=True)), now=now)
    return len(updated)


def last_updated_at() -> datetime | None:
    """Return when the newest hour was counted last; None if no hour was."""
    newest = MessageStatistics.objects.filter(span=Span.HOUR).order_by("-starts_at").first()
    return newest.counted_at if newest else None


def _newest_before(end: datetime) -> datetime | None:
    """Return when the newest message before ``end`` was created; None if all messages are later."""
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(created_at__lt=end)
    return messages.order_by("-created_at").values_list("created_at", flat=True).first()


def _read_rows() -> tuple[dict[datetime, LastCount], set[datetime]]:
    """Return the last count of each hour that has a row, and the days that have one.

    Rows whose start is none in today's ``TIME_ZONE`` were counted with another one. They are deleted: they overlap
    the hours and days of today's, and the overview would count their messages twice.
    """
    hours: dict[datetime, LastCount] = {}
    days, outdated = set(), []
    rows = MessageStatistics.objects.using(router.db_for_write(MessageStatistics))
    columns = rows.values_list("pk", "span", "starts_at", "counted_at", "data__took", "data__open")
    for pk, span, start, counted_at, took, pending in columns:
        if start != (_day_of(start) if span == Span.DAY else _hour_of(start)):
            outdated.append(pk)
        elif span == Span.DAY:
            days.add(start)
        else:
            hours[start] = LastCount(counted_at, took or 0.0, pending or 0)
    if outdated:
        rows.filter(pk__in=outdated).delete()
    return hours, days


def _is_due(end: datetime, last_count: LastCount, *, now: datetime) -> bool:
    age = max(now - end, timedelta(0))
    cost = timedelta(seconds=last_count.took * REFRESH_PER_COST)
    interval = max(MIN_REFRESH_INTERVAL, age / AGE_PER_REFRESH, cost)
    return (age <= PENDING_PERIOD or last_count.pending > 0) and elapsed(last_count.at, now) >= interval


def _hours(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield start and end of the hours from that of ``last`` back to that of ``first``."""
    start = _hour_of(last)
    end = _hour_of(start + HOUR)
    if end == start:  # Lord Howe Island sets its clocks back by 30 minutes: that hour is longer
        end = _hour_of(start + 2 * HOUR)
    while end > first:
        yield start, end
        start, end = _hour_of(start - timedelta.resolution), start


def _hour_of(moment: datetime) -> datetime:
    """Return the start of the hour of ``moment`` in ``TIME_ZONE``: in UTC, or naive if ``moment`` is."""
    return _to_utc(_to_local(moment).replace(minute=0, second=0, microsecond=0))


def _day_of(moment: datetime) -> datetime:
    """Return the start of the day of ``moment`` in ``TIME_ZONE``: in UTC, or naive if ``moment`` is."""
    return _to_utc(_to_local(moment).replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def _to_local(moment: datetime) -> datetime:
    return moment.astimezone(timezone.get_default_timezone()) if timezone.is_aware(moment) else moment


def _to_utc(moment: datetime) -> datetime:
    # Local times cannot be keys: an ambiguous one never equals a time of another zone (PEP 495).
    return moment.astimezone(UTC) if timezone.is_aware(moment) else moment


def _write(
    span: MessageStatistics.Span, starts_at: datetime, counts: StatusCounts, *, now: datetime, took: float = 0
) -> None:
    pending = counts.statuses[Status.QUEUED] + counts.statuses[Status.SENT]
    data = counts.as_data() | ({"took": round(took, 1)} if took else {}) | ({"open": pending} if pending else {})
    using = router.db_for_write(MessageStatistics)
    rows = MessageStatistics.objects.using(using)
    row = rows.filter(span=span, starts_at=starts_at).first()
    if row is None:
        try:
            with transaction.atomic(using=using):
                rows.create(span=span, starts_at=starts_at, counted_at=now, data=data)
        except IntegrityError:
            pass  # another process has counted it at the same time
        return
    row.counted_at = now
    # A message never moves to another hour. Where the number falls, messages were pruned, and they stay counted.
    if counts.total >= merge([row.data]).total:
        row.data = data
    row.save(using=using, update_fields=["counted_at", "data"])
