"""Create the pending polls of messages that the project has inserted without one, by ``bulk_create`` or an import."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import connections, transaction
from django.utils import timezone

from django_messente_dlr.models import PendingPoll
from django_messente_dlr.models.querysets import PENDING_STATUSES
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.poll_schedule import first_poll_at
from django_messente_dlr.utils.times import shift

BATCH = 500
MAX_BATCHES = 20  # the poller waits for a sweep; the next one continues
# A project may insert the messages and their pending polls in two transactions.
GRACE = timedelta(minutes=2)


def create_missing_polls(now: datetime | None = None) -> int:
    """Create the pending polls that messages lack, and return their number.

    Any number of processes may do so at the same time. Messages without an id are left unchanged, as Messente cannot
    be polled for them; `mark_sent` creates their pending polls. A message that was sent long ago is due at once, and
    the poller marks it unresolved unless Messente still has its report.

    Args:
        now: the current time; None to read the clock.
    """
    moment = now or timezone.now()
    messages = lookup.messages().filter(may_lack_poll=True, created_at__lte=shift(moment, -GRACE))
    messages = messages.exclude(sms_unique_id=None, omnimessage_id="").order_by("pk")
    created, last = 0, 0
    for _ in range(MAX_BATCHES):
        keys = list(messages.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        created += db_retry.retry_on_contention(partial(_examine, keys, now=moment), using=messages.db)
        last = keys[-1]
    return created


def _examine(keys: list[int], *, now: datetime) -> int:
    """Create the pending polls of messages that are not final and have none; return their number."""
    using = lookup.messages().db
    # A message that another process has locked is left to the next sweep.
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    with transaction.atomic(using=using):
        rows = lookup.messages().select_for_update(skip_locked=skip_locked).filter(pk__in=keys, may_lack_poll=True)
        messages = list(rows.only("account", "status", "created_at", "sent_at", "send_at"))
        scheduled = set(lookup.pending().filter(pk__in=keys).values_list("pk", flat=True))
        polls = [
            PendingPoll(
                message=message,
                account=message.account,
                # Not earlier than now: polls that are overdue already come first.
                due_at=max(first_poll_at(message.effective_send_at or message.created_at), now),
            )
            for message in messages
            if message.status in PENDING_STATUSES and message.pk not in scheduled
        ]
        # The project may insert the same ones at this moment.
        lookup.pending().bulk_create(polls, ignore_conflicts=True)
        lookup.messages().filter(pk__in=[message.pk for message in messages]).update(may_lack_poll=False)
    return len(polls)
