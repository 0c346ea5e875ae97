"""The statistics of the overview, from the rows that `maintenance.statistics` stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.maintenance.status_counts import StatusCounts, merge
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import MessageStatistics
from django_messente_dlr.models.statuses import Status

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ENDED = [status for status in Status if status.is_final]
DELIVERED = [status for status in Status if status.is_delivery]
FAILED = [status for status in Status if status.is_failure]
MAX_GROUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period up to now that the overview shows.

    Attributes:
        name: its name in the URL of the overview.
        age: its name in the age filter of the list of messages.
        label: its name on the page.
        bars: the number of buckets in the chart.
        width: the duration of a bucket.
    """

    name: str
    age: str
    label: StrPromise
    bars: int
    width: timedelta


PERIODS = {
    window.name: window
    for window in (
        Period(name="24h", age="day", label=_("24 hours"), bars=24, width=timedelta(hours=1)),
        Period(name="7d", age="week", label=_("7 days"), bars=28, width=timedelta(hours=6)),
        Period(name="30d", age="month", label=_("30 days"), bars=30, width=timedelta(days=1)),
    )
}


@dataclass(slots=True)
class Bucket:
    """One bar of the chart: a part of a period, with its counts."""

    starts_at: datetime
    label: str
    count: StatusCounts = field(default_factory=StatusCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: an account or a country prefix, with its counts of messages."""

    name: str
    total: int
    delivered: int = 0
    failed: int = 0
    unresolved: int = 0

    @property
    def rate(self) -> float | None:
        """The delivery rate (0 to 1): delivered messages per delivered or failed message. None without any."""
        ended = self.delivered + self.failed
        return self.delivered / ended if ended else None


def load_buckets(window: Period, *, now: datetime) -> list[Bucket]:
    """Return the buckets of a period up to ``now`` with their counts, the oldest first."""
    daily = window.width >= timedelta(days=1)
    # The days of the rows begin in TIME_ZONE, and not in the time zone that a middleware activates for a user.
    local = timezone.localtime(now, timezone.get_default_timezone()) if timezone.is_aware(now) else now
    if daily:
        today = local.replace(hour=0, minute=0, second=0, microsecond=0)
        starts = [today - timedelta(days=ago) for ago in range(window.bars)]
    else:
        hours = window.width // timedelta(hours=1)
        last = local.replace(minute=0, second=0, microsecond=0) - timedelta(hours=local.hour % hours)
        starts = [last - window.width * ago for ago in range(window.bars)]
    bars = [Bucket(start, _label(start, window)) for start in reversed(starts)]
    span = MessageStatistics.Span.DAY if daily else MessageStatistics.Span.HOUR
    rows = MessageStatistics.objects.filter(span=span, starts_at__gte=bars[0].starts_at).order_by("starts_at")
    ends = [bar.starts_at for bar in bars[1:]]
    index = 0
    for starts_at, data in rows.values_list("starts_at", "data"):
        while index < len(ends) and starts_at >= ends[index]:
            index += 1
        bars[index].count.add(data)
    return bars


def rank_groups(groups: dict[str, Counter[str]]) -> list[Row]:
    """Return a row for each of the largest groups, and one row for the sum of all others."""
    ranked = sorted(groups.items(), key=lambda group: (-group[1].total(), group[0]))
    lines = [row_of(name, statuses) for name, statuses in ranked[:MAX_GROUPS]]
    if others := [statuses for _name, statuses in ranked[MAX_GROUPS:]]:
        lines.append(row_of(gettext("All others"), sum(others, Counter[str]())))
    return lines


def rank_causes(count: StatusCounts) -> list[tuple[str | StrPromise, str, int]]:
    """Return the causes of failures, the most frequent first.

    Each has its meaning, its value in the filter of the list of messages, and the number of messages.
    """
    counts: Counter[ErrorCode | None] = Counter()
    for err, number in count.causes.items():
        code = ErrorCode.from_code(int(err)) if err else None
        counts[code if code else None] += number
    return [
        (code.meaning, str(code.value), number) if code else (_("Unknown cause"), "unknown", number)
        for code, number in sorted(counts.items(), key=lambda cause: (-cause[1], cause[0] is None, cause[0] or 0))
    ]


def row_of(name: str, statuses: Counter[str]) -> Row:
    """Return the row of a group."""
    return Row(
        name=name,
        total=statuses.total(),
        delivered=_sum(statuses, DELIVERED),
        failed=_sum(statuses, FAILED),
        unresolved=_sum(statuses, [Status.UNRESOLVED]),
    )


def total(bars: Iterable[Bucket]) -> StatusCounts:
    """Return the sum of the counts of all buckets."""
    return merge(bar.count.as_data() for bar in bars)


def _sum(statuses: Counter[str], selected: Iterable[Status]) -> int:
    return sum(statuses[status.value] for status in selected)


def _label(start: datetime, window: Period) -> str:
    if window.width >= timedelta(days=1):
        return date_format(start, "SHORT_DATE_FORMAT")
    hour = time_format(start, "TIME_FORMAT")
    return hour if window.bars <= 24 else f"{date_format(start, 'D')} {hour}"
