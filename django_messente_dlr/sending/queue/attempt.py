"""Record that messages are about to be sent, in one commit before the request.

From then on no worker claims them, because Messente may have them: only the result of the request, a report or a
person decides about them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import router, transaction
from django.utils import timezone

from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending.kept import keep_queued
from django_messente_dlr.sending.queue.claims import queue
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at
from django_messente_dlr.utils.times import shift

# The times of a message count from ``send_at``, which is that of its queueing. A smaller difference does not matter.
TOLERANCE = timedelta(minutes=1)


class _Changed(Exception):
    """Another process has changed one of the rows since it was claimed."""


def attempt(rows: Sequence[QueuedMessage], *, lease: timedelta) -> list[QueuedMessage]:
    """Record an attempt to send claimed messages; return the rows that the caller sends, and no other process.

    A row is missing from the result if it was cancelled or reported on, or if its lease has ended and another worker
    has claimed it.

    Args:
        rows: the rows as they were claimed, with their messages.
        lease: how long the request and the record of its result may take. Then the outcome counts as unknown.
    """
    using = router.db_for_write(QueuedMessage)
    now = timezone.now()
    until = shift(now, lease)

    def attempt_all() -> list[QueuedMessage]:
        with transaction.atomic(using=using):
            # One UPDATE for each claim. Its number of rows shows whether it has changed all of them.
            for leased_until in {row.leased_until for row in rows}:
                claimed = [row for row in rows if row.leased_until == leased_until]
                if _update(claimed, leased_until, now=now, until=until) != len(claimed):
                    raise _Changed
            _begin_polling(rows, now=now, using=using)
            keep_queued(rows, using=using)
        return list(rows)

    def attempt_each() -> list[QueuedMessage]:
        with transaction.atomic(using=using):
            ours = [row for row in rows if _update([row], row.leased_until, now=now, until=until)]
            _begin_polling(ours, now=now, using=using)
            keep_queued(ours, using=using)
        return ours

    # Not repeated after a lost connection: the commit may have succeeded, and the UPDATE would find no row.
    try:
        ours = db_retry.retry_on_contention(attempt_all, using=using, lost_connection=False)
    except _Changed:
        ours = db_retry.retry_on_contention(attempt_each, using=using, lost_connection=False)
    for row in ours:
        row.attempted_at, row.due_at, row.leased_until = now, None, until
    return ours


def _update(rows: Collection[QueuedMessage], leased_until: datetime | None, *, now: datetime, until: datetime) -> int:
    """Record the attempt in rows that still have the lease of their claim; return their number."""
    ours = queue().filter(pk__in=[row.pk for row in rows], leased_until=leased_until, attempted_at=None)
    return ours.update(attempted_at=now, due_at=None, leased_until=until)


def _begin_polling(rows: Collection[QueuedMessage], *, now: datetime, using: str) -> None:
    """Create the pending polls of messages, and let their times count from now if they have waited."""
    late = [row.message for row in rows if row.message.send_at is None or shift(row.message.send_at, TOLERANCE) < now]
    if late:
        SmsMessage.objects.using(using).filter(pk__in=[message.pk for message in late]).update(send_at=now)
        for message in late:
            message.send_at = now
    PendingPoll.objects.using(using).bulk_create(
        [
            PendingPoll(
                message=row.message, account=row.account, due_at=first_poll_at(max(row.message.send_at or now, now))
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )
