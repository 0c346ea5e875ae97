"""Record with a few statements that Messente has accepted many messages, in the two usual cases.

`confirm_sent` takes about ten statements for each message, which is more than the rate limit of Messente allows for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import DatabaseError, router, transaction
from django.db.models import Case, F, Q, Value, When

from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.lookup import messages, pending, reports
from django_messente_dlr.receiving.orphans import match_orphan

# By the primary key of a message, its ids at Messente.
Ids = Mapping[int, Mapping[str, str]]
COLUMNS = ("status", "sms_unique_id", "omnimessage_id")


def confirm_sent_batch(ids: Ids, *, sent_at: datetime, unpolled: Collection[int] = ()) -> set[int]:
    """Record that Messente has accepted queued messages of one channel each, and delete their rows in the queue.

    Return the primary keys of those that are recorded: messages that are still queued, and messages whose final
    report arrived before the answer. Call `confirm_sent` for each of the others. Orphans are matched after the
    commit.

    Args:
        ids: by the primary key of the message, its ids at Messente: ``sms_unique_id``, ``omnimessage_id`` or both.
        sent_at: when the messages were sent.
        unpolled: the primary keys of the messages that Messente does not know, which are not polled.

    Raises:
        DatabaseError: an id belongs to another message, or a message changed although it was locked. The transaction
            is rolled back, also that of the caller.
    """
    using = router.db_for_write(SmsMessage)
    # Without a savepoint, which would cost as much as another UPDATE: the worker calls this in a transaction.
    with transaction.atomic(using=using, savepoint=False):
        queued, reported = _lock(ids)
        sent = {"status": Status.SENT.value, "rank": Status.SENT.rank, "may_lack_poll": False}
        _update(queued, sent_at=sent_at, **sent)
        _update(reported, sent_at=sent_at)
        recorded = {**queued, **reported}
        QueuedMessage.objects.using(using).filter(pk__in=list(recorded)).delete()
        if without_poll := [pk for pk in unpolled if pk in recorded]:
            pending().filter(pk__in=without_poll).delete()
        transaction.on_commit(lambda: _match_orphans(recorded), using=using, robust=True)
    return set(recorded)


def _lock(ids: Ids) -> tuple[Ids, Ids]:
    """Lock messages; return the ids of those that are queued, and of those that have had their final report."""
    queued, reported = dict[int, Mapping[str, str]](), dict[int, Mapping[str, str]]()
    rows = messages().filter(pk__in=list(ids), sent_at=None).select_for_update()
    # In a fixed order, so that two transactions that lock several of the same messages do not deadlock.
    for message in rows.order_by("pk").only(*COLUMNS):
        values, status = ids[message.pk], Status(message.status)
        has_id = message.sms_unique_id is not None or bool(message.omnimessage_id)
        # A report may have stored the same ids already.
        has_other_id = any(getattr(message, name) not in {None, "", value} for name, value in values.items())
        if status is Status.QUEUED and not has_id:
            queued[message.pk] = values
        elif status.is_final and not has_other_id:
            reported[message.pk] = values
    return queued, reported


def _update(ids: Ids, **columns: Any) -> None:
    """Write the ids and other columns of locked messages with one UPDATE."""
    if not ids:
        return
    ids_by_key = {name: _by_key(name, ids) for name in sorted({name for values in ids.values() for name in values})}
    if messages().filter(pk__in=list(ids), sent_at=None).update(**columns, **ids_by_key) != len(ids):
        raise DatabaseError("A message was changed by another transaction although it was locked.")


def _by_key(name: str, ids: Ids) -> Case:
    """Return an expression with the value of a column for each row; the column is unchanged without a value."""
    values = [When(pk=pk, then=Value(values[name])) for pk, values in ids.items() if name in values]
    field: Any = SmsMessage._meta.get_field(name)  # noqa: SLF001 - documented
    return Case(*values, default=F(name), output_field=field)


def _match_orphans(ids: Ids) -> None:
    """Match the orphans of messages, which are few: a report with a callback URL of its message is no orphan."""
    is_orphan = Q(message__isnull=True)
    sms_unique_ids = [values["sms_unique_id"] for values in ids.values() if "sms_unique_id" in values]
    of_url = is_orphan & Q(token_message_id__in=list(ids))
    of_account_url = is_orphan & Q(token_message_id__isnull=True, sms_unique_id__in=sms_unique_ids)
    for orphan in reports().filter(of_url | of_account_url).order_by("pk"):
        match_orphan(orphan)
