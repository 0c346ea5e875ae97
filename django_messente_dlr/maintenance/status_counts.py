"""Count the statuses, failure causes and times to final of messages in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, Count, DurationField, F, Func, IntegerField, When
from django.db.models.functions import Coalesce, Substr
from django.db.models.sql.compiler import SQLCompiler

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.phone_numbers import calling_code

# Upper limits in seconds, each about a sixth above the one before. A reported time is at most that much too long.
BUCKETS = [round(1.17**step, 1) for step in range(78)]

Data = dict[str, Any]


@dataclass(slots=True)
class StatusCounts:
    """The numbers of some messages.

    Attributes:
        by_account: number of messages by account name and status.
        by_prefix: number of messages by calling code of the country and status.
        causes: number of failures by ``err`` as text; "" if the cause is unknown.
        times: number of final messages, except cancelled ones, by the index in ``BUCKETS`` of their time from sending
            to final.
    """

    by_account: dict[str, Counter[str]] = field(default_factory=dict)
    by_prefix: dict[str, Counter[str]] = field(default_factory=dict)
    causes: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)

    @property
    def statuses(self) -> Counter[str]:
        """The number of messages by status."""
        return sum(self.by_account.values(), Counter[str]())

    @property
    def total(self) -> int:
        """The number of all messages."""
        return self.statuses.total()

    def add(self, data: Data) -> None:
        """Add the ``data`` of a `MessageStatistics` row."""
        for name, groups in (("accounts", self.by_account), ("prefixes", self.by_prefix)):
            for key, statuses in data.get(name, {}).items():
                groups.setdefault(key, Counter()).update(statuses)
        self.causes.update(data.get("causes", {}))
        for bucket, number in data.get("times", {}).items():
            self.times[int(bucket)] += number

    def as_data(self) -> Data:
        """Return the numbers as the ``data`` of a `MessageStatistics` row."""
        if not self.by_account:
            return {}
        return {
            "accounts": self.by_account,
            "prefixes": self.by_prefix,
            "causes": self.causes,
            "times": {str(bucket): number for bucket, number in self.times.items()},
        }

    def seconds_within(self, share: float) -> float | None:
        """Return the seconds within which ``share`` (0 to 1) of the final messages became final; None without any."""
        remaining = share * self.times.total()
        for bucket in sorted(self.times):
            remaining -= self.times[bucket]
            if remaining <= 0:
                return BUCKETS[min(bucket, len(BUCKETS) - 1)]
        return None


def merge(rows: Iterable[Data]) -> StatusCounts:
    """Return the sum of the ``data`` of `MessageStatistics` rows."""
    counts = StatusCounts()
    for data in rows:
        counts.add(data)
    return counts


def count_messages(start: datetime, end: datetime) -> StatusCounts:
    """Count the messages created from ``start`` up to, but not including, ``end``.

    The database groups and counts, so the number of rows that are read does not grow with the number of messages.
    """
    counts = StatusCounts()
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage))
    messages = messages.filter(created_at__gte=start, created_at__lt=end).order_by()
    groups = messages.values_list("account", "status", "err", _first_digits()).annotate(number=Count("pk"))
    for account, status, err, digits, number in groups:
        counts.by_account.setdefault(account, Counter())[status] += number
        counts.by_prefix.setdefault(calling_code(digits), Counter())[status] += number
        if Status(status).is_failure:
            counts.causes[str(err or "")] += number
    if counts.total:
        # A message is cancelled before its time of sending, from which the duration would count.
        final = messages.filter(finalised_at__isnull=False).exclude(status=Status.CANCELLED)
        final = final.alias(duration=F("finalised_at") - Coalesce("sent_at", "created_at"))
        for bucket, number in final.values_list(_BucketIndex("duration")).annotate(number=Count("pk")):
            counts.times[bucket] += number
    return counts


def _first_digits() -> Case:
    """Return an expression for the part of a recipient that has the calling code: three characters after + or 00."""
    return Case(
        When(recipient__startswith="+00", then=Substr("recipient", 4, 3)),
        When(recipient__startswith="+", then=Substr("recipient", 2, 3)),
        When(recipient__startswith="00", then=Substr("recipient", 3, 3)),
        default=Substr("recipient", 1, 3),
    )


class _BucketIndex(Func):
    """The first index in ``BUCKETS`` whose limit a duration does not exceed; ``len(BUCKETS)`` if it exceeds all.

    A binary search: SQLite computes the duration in Python for every comparison, and a list of conditions would need
    up to 78 for a row. The text is made here, as Django takes 15 ms to compile as many nested `Case` expressions.
    """

    arity = 1
    output_field = IntegerField()

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        duration, duration_params = compiler.compile(self.get_source_expressions()[0])
        params: list[Any] = []

        def search(low: int, high: int) -> str:
            if low == high:
                return str(low)
            middle = (low + high) // 2
            limit = DurationField().get_db_prep_value(timedelta(seconds=BUCKETS[middle]), connection)
            params.extend((*duration_params, limit))
            return f"CASE WHEN {duration} <= %s THEN {search(low, middle)} ELSE {search(middle + 1, high)} END"

        return search(0, len(BUCKETS)), tuple(params)
