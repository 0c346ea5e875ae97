"""Record that a message is about to be sent, and that Messente has accepted it, with the ids that it returned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.apply import leave_queue, poll_no_later_than
from django_messente_dlr.receiving.channels import end_if_all_failed
from django_messente_dlr.receiving.lookup import messages, pending, reload
from django_messente_dlr.receiving.orphans import match_orphans_of

MISSING = {"sms_unique_id": Q(sms_unique_id=None), "omnimessage_id": Q(omnimessage_id="")}


def claim_prepared(message: SmsMessage, **columns: Any) -> bool:
    """Reserve a prepared message for the caller, who sends it. Return False if it cannot be sent any more.

    One UPDATE decides, so that two processes do not both send the message. A prepared message has no ``send_at``.

    Args:
        message: the message, with the recipient that the caller sends it to.
        columns: the columns to set, ``send_at`` among them.
    """
    rows = messages().filter(pk=message.pk, recipient=message.recipient, account=message.account)
    rows = rows.filter(rank=Status.QUEUED.rank, send_at=None, sms_unique_id=None, omnimessage_id="")
    return bool(rows.update(**columns))


def confirm_sent(
    message: SmsMessage,
    *,
    next_poll_at: datetime | None,
    sent_at: datetime,
    columns: Mapping[str, Any] | None = None,
    may_be_queued: bool = False,
    **ids: str,
) -> bool:
    """Record that Messente has accepted a message, and match its orphans after the commit.

    Return False, with nothing written, if the message has another id. The message is reloaded in both cases. If the
    message is confirmed again, it keeps its ``sent_at`` and gets only an id that it does not have yet.

    Args:
        message: the message.
        next_poll_at: when to poll for the first time; None if Messente does not know the message.
        sent_at: when Messente sends the message. The message's validity begins at this time.
        columns: further columns that Messente's answer sets: ``channels`` and ``channel_count``.
        may_be_queued: whether the message may have a row in the send queue, which is then deleted.
        ids: the message's ids at Messente: ``sms_unique_id``, ``omnimessage_id`` or both.
    """
    using = router.db_for_write(SmsMessage)
    with transaction.atomic(using=using):
        rows = messages().filter(pk=message.pk)
        # Each UPDATE repeats this condition, because a report can store an id at any time.
        rows = rows.filter(*(MISSING[name] | Q(**{name: value}) for name, value in ids.items()))
        sent = {"status": Status.SENT.value, "rank": Status.SENT.rank, "may_lack_poll": False}
        answer = {**ids, **(columns or {})}
        # A message of `prepare_sms` has no send_at before its first confirmation.
        times = {"sent_at": sent_at, "send_at": Coalesce("send_at", Value(sent_at, DateTimeField()))}
        # A report may arrive before the response to the send request. The status that it has set is kept.
        if rows.filter(rank=Status.QUEUED.rank).update(**sent, **answer, **times):
            if next_poll_at is None:
                pending().filter(pk=message.pk).delete()
            # A row that the project created without `prepare_sms` has no pending poll.
            elif not pending().filter(pk=message.pk).update(due_at=next_poll_at):
                pending().create(pk=message.pk, account=message.account, due_at=next_poll_at)
        elif rows.filter(sent_at=None).update(**answer, **times):
            if next_poll_at is not None:
                poll_no_later_than(message.pk, next_poll_at)
            # Polling may have ended before the message was sent.
            if next_poll_at is not None and rows.filter(rank=Status.UNRESOLVED.rank).exists():
                pending().get_or_create(pk=message.pk, defaults={"account": message.account, "due_at": next_poll_at})
        else:
            (rows if columns else rows.exclude(**ids)).update(**answer)
        # With a lock, so that the row is the newest one at every isolation level.
        reload(message, lock=True)
        if any(getattr(message, name) != value for name, value in ids.items()):
            return False
        if may_be_queued:
            leave_queue(message.pk)
        if message.omnimessage_id and (report := end_if_all_failed(message, now=timezone.now())) is not None:
            # Channels have failed before the number of channels was known.
            dispatch.dispatch_on_commit(report)
            reload(message)
        transaction.on_commit(lambda: match_orphans_of(message), using=using, robust=True)
    return True
