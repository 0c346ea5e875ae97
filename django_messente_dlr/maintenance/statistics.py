"""Counts what became of the messages, hour by hour and day by day, so that the overview reads a few rows.

An hour is counted when nobody has counted it yet, and again while its messages may still move: the older it is, the
more seldom. Counting it twice gives the same, so any number of processes may count at once, and nothing needs to be
noted where a message changes. Only `MessageStatistics` is written here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr.models import MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.phone_numbers import calling_code

HOUR = timedelta(hours=1)
KEPT = timedelta(days=31)
# Messente keeps reports for 48 hours from when it sends; a day more for those who come late. An hour some of whose
# messages were to be sent later, or that nobody has asked about, is counted until they have ended.
OPEN = timedelta(hours=72)
MIN_REFRESH_INTERVAL = timedelta(seconds=20)  # at the earliest
AGAIN_PER_AGE = 20  # an hour that is a day old is counted again after a twentieth of that
# Of the time that passes, counting takes this share at most: a busy hour is counted the more seldom.
AGAIN_PER_SECOND = 30
SECONDS_IN_A_RUN = 10.0  # the poller, or a person, waits meanwhile

# Seconds, each about a sixth more than the one before: what is told of times is at most that much off.
BUCKETS = [round(1.17**step, 1) for step in range(78)]

Figures = dict[str, Any]


@dataclass(slots=True)
class StatusCounts:
    """What some messages came to.

    Attributes:
        by_account: statuses, by the account's name.
        by_prefix: statuses, by the country's calling code.
        causes: failures by ``err``, as text; "" where it is unknown.
        times: times from sending to the end, by their place among ``BUCKETS``.
    """

    by_account: dict[str, Counter[str]] = field(default_factory=dict)
    by_prefix: dict[str, Counter[str]] = field(default_factory=dict)
    causes: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)

    @property
    def statuses(self) -> Counter[str]:
        """The statuses of all of them."""
        return sum(self.by_account.values(), Counter[str]())

    @property
    def total(self) -> int:
        """How many they are."""
        return self.statuses.total()

    def add(self, figures: Figures) -> None:
        """Add what a row of `MessageStatistics` says."""
        for name, kept in (("accounts", self.by_account), ("prefixes", self.by_prefix)):
            for key, statuses in figures.get(name, {}).items():
                kept.setdefault(key, Counter()).update(statuses)
        self.causes.update(figures.get("causes", {}))
        for place, number in figures.get("times", {}).items():
            self.times[int(place)] += number

    def as_data(self) -> Figures:
        """Return it as a row of `MessageStatistics` keeps it."""
        if not self.by_account:
            return {}
        return {
            "accounts": self.by_account,
            "prefixes": self.by_prefix,
            "causes": self.causes,
            "times": {str(place): number for place, number in self.times.items()},
        }

    def seconds_within(self, share: float) -> float | None:
        """Return the seconds within which ``share`` (0 to 1) of the ended messages ended; None where none has."""
        wanted = share * self.times.total()
        for place in sorted(self.times):
            wanted -= self.times[place]
            if wanted <= 0:
                return BUCKETS[min(place, len(BUCKETS) - 1)]
        return None


def update_statistics(now: datetime | None = None) -> int:
    """Count the hours of the last month that are due, and their days; return how many hours that were.

    The newest come first. What is not done within ``SECONDS_IN_A_RUN`` is left to the next run.

    Args:
        now: the present; None for what the clock says.
    """
    now = now or timezone.now()
    current = now.replace(minute=0, second=0, microsecond=0)
    rows = MessageStatistics.objects.using(router.db_for_write(MessageStatistics))
    rows.filter(starts_at__lt=now - KEPT - timedelta(days=1)).delete()
    kept = rows.filter(span=MessageStatistics.Span.HOUR)
    columns = kept.values_list("starts_at", "counted_at", "data__took", "data__open")
    counted = {at: told for at, *told in columns}
    first = SmsMessage.objects.order_by("created_at").values_list("created_at", flat=True).first() or now
    hours = [current - HOUR * ago for ago in range(int(KEPT / HOUR)) if current - HOUR * ago > first - HOUR]
    ends, done = monotonic() + SECONDS_IN_A_RUN, []
    for hour in hours:
        if not _is_due(hour, *counted.get(hour, (None, 0, 0)), now=now):
            continue
        if (started := monotonic()) > ends:
            break
        _write(MessageStatistics.Span.HOUR, hour, _count_messages(hour), now=now, took=monotonic() - started)
        done.append(hour)
    for day in {_day_of(hour) for hour in done}:
        of_day = kept.filter(starts_at__gte=day, starts_at__lt=_day_of(day + HOUR * 36))
        _write(MessageStatistics.Span.DAY, day, merge(of_day.values_list("data", flat=True)), now=now)
    return len(done)


def merge(figures: Iterable[Figures]) -> StatusCounts:
    """Return what rows of `MessageStatistics` say together."""
    whole = StatusCounts()
    for part in figures:
        whole.add(part)
    return whole


def last_updated_at() -> datetime | None:
    """Return when the present hour was counted last, or the newest that was; None where none was."""
    newest = MessageStatistics.objects.filter(span=MessageStatistics.Span.HOUR).order_by("-starts_at").first()
    return newest.counted_at if newest else None


def _is_due(hour: datetime, counted: datetime | None, took: float | None, left: int | None, *, now: datetime) -> bool:
    if counted is None:
        return True
    ended = max(now - hour - HOUR, timedelta(0))
    rest = timedelta(seconds=(took or 0) * AGAIN_PER_SECOND)
    return (ended <= OPEN or bool(left)) and now - counted >= max(MIN_REFRESH_INTERVAL, ended / AGAIN_PER_AGE, rest)


def _day_of(moment: datetime) -> datetime:
    """Return when the day of ``moment`` began in the project's own time zone."""
    local = moment.astimezone(timezone.get_default_timezone()) if timezone.is_aware(moment) else moment
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _count_messages(hour: datetime) -> StatusCounts:
    result = StatusCounts()
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage))
    rows = messages.filter(created_at__gte=hour, created_at__lt=hour + HOUR).order_by()
    columns = rows.values_list("account", "recipient", "status", "err", "created_at", "sent_at", "finalised_at")
    for account, recipient, status, err, created_at, sent_at, finalised_at in columns.iterator(chunk_size=2000):
        result.by_account.setdefault(account, Counter())[status] += 1
        result.by_prefix.setdefault(calling_code(recipient), Counter())[status] += 1
        if Status(status).is_failure:
            result.causes[str(err or "")] += 1
        if finalised_at is not None:
            took = (finalised_at - (sent_at or created_at)).total_seconds()
            result.times[bisect_left(BUCKETS, took)] += 1
    return result


def _write(
    span: MessageStatistics.Span, starts_at: datetime, counted: StatusCounts, *, now: datetime, took: float = 0
) -> None:
    left = counted.statuses[Status.QUEUED] + counted.statuses[Status.SENT]
    figures = counted.as_data() | ({"took": round(took, 1)} if took else {}) | ({"open": left} if left else {})
    using = router.db_for_write(MessageStatistics)
    rows = MessageStatistics.objects.using(using)
    row = rows.filter(span=span, starts_at=starts_at).first()
    if row is None:
        try:
            with transaction.atomic(using=using):
                rows.create(span=span, starts_at=starts_at, counted_at=now, data=figures)
        except IntegrityError:
            pass  # somebody else has counted it this moment
        return
    row.counted_at = now
    # Messages are never moved from one hour to another: where there are fewer now, they were pruned.
    if counted.total >= merge([row.data]).total:
        row.data = figures
    row.save(using=using, update_fields=["counted_at", "data"])
