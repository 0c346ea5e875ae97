"""Cancel a message that waits in the send queue, or a scheduled message at Messente, with `cancel`."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseFailure
from django.db import router, transaction

from django_messente_dlr import conf, receiving
from django_messente_dlr.backends import get_backend
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import rows
from django_messente_dlr.utils import db_retry

logger = logging.getLogger(__name__)

IN_TRANSACTION = (
    "cancel was called inside a transaction, so Messente was not called: a rollback would undo the record of a "
    "message that is cancelled. Call it after the commit, with transaction.on_commit(lambda: cancel(message)), or "
    "from a view that is exempt from ATOMIC_REQUESTS."
)


def cancel(message: SmsMessage) -> SmsMessage:
    """Cancel a queued message, or a scheduled message at Messente, and return it with its status.

    A message that waits in the send queue is cancelled without a request, also inside a transaction.

    The status of any other becomes ``cancelled`` only if Messente confirms it, and ``dlr_cancelled`` is sent. A
    delivery corrects it: if one is recorded during the request, the message is returned as delivered.

    Args:
        message: the message. Its delivery state is updated.

    Raises:
        ValueError: the message is final, not sent yet, has no id of Messente's, or its account is not configured.
        UnknownMessage: Messente does not know the message's id. Its status is unchanged.
        CancelRefused: Messente did not confirm it, perhaps because the message is sent already. If no readable answer
            came, ``answered`` is false, and the message may be cancelled. The status is unchanged. You can call
            ``cancel`` again.
        SendInsideTransaction: a transaction is open, and the message does not wait in the queue. Call ``cancel`` from
            ``transaction.on_commit``.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
    """
    if cancel_waiting(message):
        return message
    rows.write_durably(lambda using: receiving.reload(message), in_transaction=IN_TRANSACTION)
    if reason := _why_not(message):
        raise ValueError(reason)
    get_backend().cancel(message)
    try:
        receiving.record_final(message, Report(source=Source.CANCEL), Status.CANCELLED)
    except (DatabaseFailure, receiving.WriteConflict):
        logger.exception("Message %s was cancelled, but this could not be stored.", message.pk)
        raise
    receiving.reload(message)
    return message


def cancel_waiting(message: SmsMessage) -> bool:
    """Cancel a message that waits in the send queue, and return whether it did: no worker has begun to send it.

    Args:
        message: the message. Its delivery state is updated.
    """
    using = router.db_for_write(SmsMessage)

    def write() -> bool:
        with transaction.atomic(using=using):
            waiting = QueuedMessage.objects.using(using).filter(pk=message.pk, attempted_at=None)
            if not waiting.delete()[0]:
                return False
            receiving.record_final(message, Report(source=Source.CANCEL), Status.CANCELLED)
            receiving.reload(message)
            return True

    return db_retry.retry_on_contention(write, using=using)


def _why_not(message: SmsMessage) -> str:
    """Return why no request to Messente can cancel a message, or "" if one may."""
    status = Status(message.status)
    if status.is_final:
        return f"Message {message.pk} is final, so it cannot be cancelled: its status is {status.value}."
    if message.is_prepared:
        return f"Message {message.pk} is not sent yet, so there is nothing to cancel. Do not send it, or delete it."
    if not (message.sms_unique_id or message.omnimessage_id):
        return (
            f"Message {message.pk} has no id of Messente's, because the outcome of sending it is unknown. It cannot "
            "be cancelled before a report, or mark_sent, stores its id."
        )
    if message.account not in conf.accounts():
        return (
            f'The account "{message.account}" of message {message.pk} is not configured. Add it to {conf.SETTING} '
            "again, under this name, to cancel the message."
        )
    return ""
