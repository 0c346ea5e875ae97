"""The two rows of a message that is to be queued, before they are inserted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.models import QueuedMessage, QueuePriority, SmsMessage
from django_messente_dlr.sending import columns, rows, values
from django_messente_dlr.sending.queue import content
from django_messente_dlr.utils.times import to_db_datetime

PRIORITIES = {name.lower(): QueuePriority[name].value for name in QueuePriority.names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The rows of a message, not saved."""

    message: SmsMessage
    queued: QueuedMessage


def draft(
    outgoing: OutgoingMessage,
    *,
    is_text: bool,
    metadata: Mapping[str, Any] | None,
    reference: str,
    not_before: datetime | None,
    priority: str | None,
) -> Draft:
    """Return the rows of a message.

    Args:
        outgoing: what to send.
        is_text: whether it is one text of `queue_sms`.
        metadata: data of the project.
        reference: the project's own key.
        not_before: when to send it at the earliest, as an aware datetime; None for now.
        priority: "low", "regular" or "high"; None for "regular".

    Raises:
        ValueError, TypeError: a value cannot be queued.
    """
    if priority is not None and priority not in PRIORITIES:
        raise ValueError(f"priority must be {', '.join(map(repr, PRIORITIES))} or None, not {priority!r}.")
    if outgoing.api == "omnichannel":
        outgoing = replace(outgoing, priority=priority or "")
    due_at = values.scheduled_time(not_before, name="not_before")
    described = columns.columns_of(outgoing, is_text=is_text)
    message = rows.build_message(
        outgoing.to, account=outgoing.account, metadata=metadata, reference=reference, **described
    )
    message.may_lack_poll = False
    if due_at is not None:
        # With this time the message does not count as one of prepare_sms. The worker sets it to that of the attempt.
        message.send_at = max(to_db_datetime(due_at), described["send_at"])
    queued = QueuedMessage(
        account=outgoing.account,
        content=content.to_json(outgoing),
        priority=PRIORITIES[priority or "regular"],
        due_at=to_db_datetime(due_at or timezone.now()),
    )
    return Draft(message=message, queued=queued)


def insert(draft: Draft, *, using: str) -> SmsMessage:
    """Insert the rows of a message in the current transaction, or in one of their own, and return the message.

    Args:
        draft: the rows.
        using: the alias of the database.
    """
    # Without a savepoint, which would cost two more statements in the transaction of each request.
    with transaction.atomic(using=using, savepoint=False):
        draft.message.pk = None  # a rolled-back attempt set a primary key that another row may have by now
        draft.message.save(using=using, force_insert=True)
        draft.queued.message = draft.message
        draft.queued.save(using=using, force_insert=True)
    return draft.message
