"""Record that Messente has accepted a message, with the ids that it returned."""

from __future__ import annotations

from datetime import datetime

from django.db import router, transaction
from django.db.models import Q

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.apply import poll_no_later_than
from django_messente_dlr.receiving.lookup import messages, pending, reload
from django_messente_dlr.receiving.orphans import match_orphans_of

MISSING = {"sms_unique_id": Q(sms_unique_id=None), "omnimessage_id": Q(omnimessage_id="")}


def confirm_sent(message: SmsMessage, *, next_poll_at: datetime, sent_at: datetime, **ids: str) -> bool:
    """Record that Messente has accepted a message, and match its orphans after the commit.

    Return False, with nothing written, if the message has another id. The message is reloaded in both cases. If the
    message is confirmed again, it keeps its ``sent_at`` and gets only an id that it does not have yet.

    Args:
        message: the message.
        next_poll_at: when to poll for the first time.
        sent_at: when Messente sends the message. Messente keeps its reports for 48 hours from this time.
        ids: the message's ids at Messente: ``sms_unique_id``, ``omnimessage_id`` or both.
    """
    using = router.db_for_write(SmsMessage)
    with transaction.atomic(using=using):
        rows = messages().filter(pk=message.pk)
        # Each UPDATE repeats this condition, because a report can store an id at any time.
        rows = rows.filter(*(MISSING[name] | Q(**{name: value}) for name, value in ids.items()))
        sent = {"status": Status.SENT.value, "rank": Status.SENT.rank, "may_lack_poll": False}
        # A report may arrive before the response to the send request. The status that it has set is kept.
        if rows.filter(rank=Status.QUEUED.rank).update(**sent, **ids, sent_at=sent_at):
            # A row that the project created without `prepare_sms` has no pending poll.
            if not pending().filter(pk=message.pk).update(due_at=next_poll_at):
                pending().create(pk=message.pk, account=message.account, due_at=next_poll_at)
        elif rows.filter(sent_at=None).update(**ids, sent_at=sent_at):
            poll_no_later_than(message.pk, next_poll_at)
            if rows.filter(rank=Status.UNRESOLVED.rank).exists():  # polling ended before it was sent
                pending().get_or_create(pk=message.pk, defaults={"account": message.account, "due_at": next_poll_at})
        else:
            rows.exclude(**ids).update(**ids)
        # With a lock, so that the row is the newest one at every isolation level.
        reload(message, lock=True)
        if any(getattr(message, name) != value for name, value in ids.items()):
            return False
        transaction.on_commit(lambda: match_orphans_of(message), using=using, robust=True)
    return True
