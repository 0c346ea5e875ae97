"""What the overview tells of its window, from the few rows that `tallies` has counted."""

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

from django_messente_dlr.maintenance.statistics import StatusCounts, merge
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import MessageStatistics
from django_messente_dlr.models.statuses import Status

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ENDED = [status for status in Status if status.is_final]
DELIVERED = [status for status in Status if status.is_delivery]
FAILED = [status for status in Status if status.is_failure]
OPEN = [Status.QUEUED, Status.SENT]
RANKED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of time up to now that the overview shows.

    Attributes:
        name: what the URL calls it.
        age: what the messages' list calls it.
        label: what people call it.
        bars: into how many parts the chart divides it.
        width: how long each of them is.
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
    """One part of a window."""

    starts_at: datetime
    label: str
    count: StatusCounts = field(default_factory=StatusCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: an account, a country or a cause."""

    name: str
    total: int
    delivered: int = 0
    failed: int = 0
    unresolved: int = 0
    open: int = 0

    @property
    def rate(self) -> float | None:
        """The share of the ended ones that were delivered (0 to 1)."""
        ended = self.delivered + self.failed
        return self.delivered / ended if ended else None


def buckets_of(window: Period, *, now: datetime) -> list[Bucket]:
    """Return the parts of a window up to ``now``, the oldest first, with what became of their messages."""
    daily = window.width >= timedelta(days=1)
    local = timezone.localtime(now) if timezone.is_aware(now) else now
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
    place = 0
    for starts_at, figures in rows.values_list("starts_at", "data"):
        while place < len(ends) and starts_at >= ends[place]:
            place += 1
        bars[place].count.add(figures)
    return bars


def rows_of(groups: dict[str, Counter[str]]) -> list[Row]:
    """Return a line for each of the greatest groups of statuses, and one for all others together."""
    ranked = sorted(groups.items(), key=lambda group: (-group[1].total(), group[0]))
    lines = [row_of(name, statuses) for name, statuses in ranked[:RANKED]]
    if others := [statuses for _name, statuses in ranked[RANKED:]]:
        lines.append(row_of(gettext("All others"), sum(others, Counter[str]())))
    return lines


def causes_of(count: StatusCounts) -> list[tuple[str | StrPromise, str, int]]:
    """Return why messages failed, the most frequent first: in words, as the list's filter takes it, how many."""
    known: Counter[ErrorCode | None] = Counter()
    for err, number in count.causes.items():
        code = ErrorCode.from_code(int(err)) if err else None
        known[code if code else None] += number
    return [
        (code.meaning, str(code.value), number) if code else (_("Unknown cause"), "unknown", number)
        for code, number in sorted(known.items(), key=lambda cause: (-cause[1], cause[0] is None, cause[0] or 0))
    ]


def row_of(name: str, statuses: Counter[str]) -> Row:
    """Return one line for all of them together."""
    return Row(
        name=name,
        total=statuses.total(),
        delivered=_sum(statuses, DELIVERED),
        failed=_sum(statuses, FAILED),
        unresolved=_sum(statuses, [Status.UNRESOLVED]),
        open=_sum(statuses, OPEN),
    )


def total(bars: Iterable[Bucket]) -> StatusCounts:
    """Return what all parts of a window say together."""
    return merge(bar.count.as_data() for bar in bars)


def _sum(statuses: Counter[str], wanted: Iterable[Status]) -> int:
    return sum(statuses[status.value] for status in wanted)


def _label(start: datetime, window: Period) -> str:
    if window.width >= timedelta(days=1):
        return date_format(start, "SHORT_DATE_FORMAT")
    hour = time_format(start, "TIME_FORMAT")
    return hour if window.bars <= 24 else f"{date_format(start, 'D')} {hour}"
