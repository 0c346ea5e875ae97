"""Claim queued messages that are due: the highest priority first, then those that have been due longest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import router
from django.utils import timezone

from django_messente_dlr.models import QueuedMessage, QueuePriority, SmsMessage
from django_messente_dlr.models.claims import claim_rows
from django_messente_dlr.models.queue import QueuedMessageQuerySet
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import shift

PRIORITIES = sorted(QueuePriority.values, reverse=True)


def claim(accounts: Sequence[str], count: int, *, lease: timedelta) -> list[QueuedMessage]:
    """Claim messages that are due now, and return their rows with their messages.

    Between accounts, the order of ``accounts`` decides among messages of the same priority.

    Args:
        accounts: the names of the accounts to send from.
        count: the greatest number of messages.
        lease: the duration of the claim.
    """
    now, claimed = timezone.now(), list[QueuedMessage]()
    for priority in PRIORITIES:
        for account in accounts:
            remaining = count - len(claimed)
            if not remaining:
                break
            claimed += QueuedMessage.objects.claim(
                remaining, account=account, priority=priority, now=now, lease=lease
            )
    return with_messages(claimed)


def claim_one(pk: int, accounts: Collection[str], *, lease: timedelta) -> list[QueuedMessage]:
    """Claim one message if it is due; return a list of its row, or an empty one.

    Args:
        pk: the message's primary key.
        accounts: the names of the accounts to send from.
        lease: the duration of the claim.
    """
    now = timezone.now()
    due = QueuedMessage.objects.due(now).filter(pk=pk, account__in=accounts)
    return with_messages(claim_rows(due, "leased_until", count=1, until=shift(now, lease)))


def release(rows: Collection[QueuedMessage], *, due_at: datetime | None = None) -> None:
    """Let other workers claim messages that were claimed and not attempted.

    Args:
        rows: the rows as they were claimed.
        due_at: when they are due again; None to keep their times.
    """
    due = {} if due_at is None else {"due_at": due_at}
    for leased_until in {row.leased_until for row in rows}:
        keys = [row.pk for row in rows if row.leased_until == leased_until]
        ours = queue().filter(pk__in=keys, leased_until=leased_until, attempted_at=None)
        db_retry.retry_on_contention(lambda ours=ours: ours.update(leased_until=None, **due), using=ours.db)  # type: ignore[misc]


def queue() -> QueuedMessageQuerySet:
    """Return the queue in the database for writes."""
    return QueuedMessage.objects.using(router.db_for_write(QueuedMessage))


def with_messages(rows: Collection[QueuedMessage]) -> list[QueuedMessage]:
    """Return the rows with their messages, which are read without their texts and metadata."""
    messages = SmsMessage.objects.using(router.db_for_write(SmsMessage)).defer("text", "metadata")
    by_pk = messages.in_bulk([row.pk for row in rows])
    existing = [row for row in rows if row.pk in by_pk]  # a message may have been deleted after the claim
    for row in existing:
        row.message = by_pk[row.pk]
    return existing
