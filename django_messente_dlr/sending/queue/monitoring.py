"""The numbers of the send queue for people: how many messages wait, since when, and how many outcomes are unknown.

Each number is one read of an index, up to a cap, so that it is cheap whatever the length of the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_messente_dlr.models.querysets import CappedCount, capped_count
from django_messente_dlr.models.queue import QueuedMessageQuerySet, QueuePriority
from django_messente_dlr.utils.times import shift

# A message that has been due for longer probably has no worker: cron starts one every minute.
LATE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountQueue:
    """The messages of one account that wait in the queue.

    Attributes:
        account: the name of the account.
        waiting: their number, up to a cap.
        due: the number of those that are to be sent now, up to a cap.
        oldest_due_at: when the first of those was due; None if none is due.
        is_late: whether that was so long ago that probably no worker runs.
    """

    account: str
    waiting: CappedCount
    due: CappedCount
    oldest_due_at: datetime | None
    is_late: bool


def account_queue(queue: QueuedMessageQuerySet, account: str, *, now: datetime, cap: int = 1000) -> AccountQueue:
    """Return the numbers of one account.

    Args:
        queue: all rows of the queue.
        account: the name of the account.
        now: the current time.
        cap: the number at which counting stops.
    """
    rows = queue.filter(account=account)
    # One priority of one account is a range of the index in the order of the times.
    times = [
        rows.due(now).filter(priority=priority).order_by("due_at").values_list("due_at", flat=True).first()
        for priority in QueuePriority.values
    ]
    oldest = min((time for time in times if time is not None), default=None)
    return AccountQueue(
        account=account,
        waiting=capped_count(rows.waiting(now), cap=cap),
        due=capped_count(rows.due(now), cap=cap),
        oldest_due_at=oldest,
        is_late=oldest is not None and oldest <= shift(now, -LATE_AFTER),
    )
