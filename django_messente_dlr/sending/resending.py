"""Send a message that did not arrive again, as a new message, with `resend`.

Messente charges for each message, so a message is sent again at most once, also if several processes try it at the
same time: `claim_resend` marks the old row in the transaction that inserts the new one. The new message is an
ordinary message, and can itself be sent again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db import router
from django.utils import timezone

from django_messente_dlr import accounts, receiving
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.models import QueuedMessage, ResendContent, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import columns, outgoing, rows
from django_messente_dlr.sending.option_names import suggest_names
from django_messente_dlr.sending.queue.claims import queue
from django_messente_dlr.sending.queue.content import from_json
from django_messente_dlr.sending.resend_rules import RESENDABLE, obstacle, unknown_outcome
from django_messente_dlr.sending.stored import stored_message
from django_messente_dlr.sending.transmit import transmit

IN_TRANSACTION = (
    "resend was called inside a transaction, so nothing was sent: a rollback would delete the row of a message that "
    "was sent. Call it after the commit, with transaction.on_commit(lambda: resend(message)), or from a view that is "
    "exempt from ATOMIC_REQUESTS."
)


@suggest_names
def resend(message: SmsMessage, *, text: str | None = None, may_arrive_twice: bool = False) -> SmsMessage:
    """Send a message that did not arrive again, and return the new message, whose ``resend_of`` is the old one.

    The new message has the recipient, account, sender, metadata, reference, channels and options of the old one, and
    is sent now, by the same API. A message is sent again only once: if the new one fails, too, resend that one.

    Args:
        message: a message that failed, was rejected or is unresolved. Its ``resent_at`` is set.
        text: the text to send; None for the stored one. Only for a message of one text, not for one of channels.
        may_arrive_twice: whether a message of the send queue is sent again whose outcome is unknown, so that its
            recipient may get it twice. It leaves the queue, and the queue has its content, which is sent.

    Raises:
        ValueError: the message may not be sent again: it may still arrive, was delivered or cancelled, was already
            sent again, or its recipient is erased. Or its content is not stored and no text is given. Or a value
            cannot be sent. Nothing is sent or stored.
        SmsMessage.DoesNotExist: the message is deleted or was never saved.
        Exception: the same as `send_sms`, with the new message as ``sms_message``.
    """
    receiving.reload(message)
    queued = unknown_outcome(message) if may_arrive_twice else None
    row, request = prepare_resend(message, text=text, queued=queued)
    accounts.refuse_if_held(row.account)

    def claim_and_insert(using: str) -> datetime:
        claimed_at = claim_resend(message, is_unknown=queued is not None)
        row.pk = None  # a rolled-back attempt set a primary key that another row may have by now
        rows.insert(row, using=using)
        return claimed_at

    message.resent_at = rows.write_durably(claim_and_insert, in_transaction=IN_TRANSACTION)
    return transmit(row, outgoing.for_row(request, row))


async def aresend(message: SmsMessage, **options: Any) -> SmsMessage:
    """Do what `resend` does, without blocking the event loop. It takes the same arguments."""
    return await sync_to_async(resend, thread_sensitive=True)(message, **options)


def prepare_resend(
    message: SmsMessage, *, text: str | None = None, queued: QueuedMessage | ResendContent | None = None
) -> tuple[SmsMessage, OutgoingMessage]:
    """Return the unsaved row of a resend, and what to send. Nothing is written.

    The caller inserts the row in the transaction in which it calls `claim_resend`. `outgoing.for_row` then gives the
    row's callback URL to the message.

    Args:
        message: the message to send again.
        text: the text to send; None for the stored one.
        queued: the row with its content: in the send queue, if its outcome is unknown, or the one that is kept.

    Raises:
        ValueError: the message may not be sent again, or a value cannot be sent.
        TypeError: the text is not a text.
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number.
        ImproperlyConfigured: the account is not configured, or the project's URLs do not include this app's.
    """
    if text is not None and message.channels:
        raise ValueError(
            f"Message {message.pk} was sent by channels, and text replaces the text of a message of one SMS. Call "
            "resend without text, or send_message with new channels."
        )
    if reason := obstacle(message, has_text=text is not None, is_unknown=queued is not None):
        raise ValueError(f"Message {message.pk} cannot be sent again: {reason.value}")
    if queued is not None and text is None:
        queued.message = message
        request = from_json(queued)
    else:
        request = stored_message(message, text=text)
    outgoing.check(request)
    described = columns.columns_of(request, is_text=not message.channels)
    row = rows.build_message(
        request.to,
        account=request.account,
        metadata=message.metadata,
        reference=message.reference,
        resend_of_id=message.pk,
        **described,
    )
    return row, request


def claim_resend(message: SmsMessage, *, is_unknown: bool = False) -> datetime:
    """Mark a message as sent again, in the caller's transaction, and return the time. One UPDATE decides.

    Args:
        message: the message to send again, with the recipient that it was prepared for. The object is not changed,
            because the transaction may be rolled back.
        is_unknown: whether it is in the send queue with an unknown outcome. It leaves the queue.

    Raises:
        ValueError: another process has sent it again, or the row has changed since it was read.
        SmsMessage.DoesNotExist: the row is deleted.
    """
    stored = SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(pk=message.pk)
    # After the row was read, a report can have changed the status to delivered, or the recipient was erased.
    unchanged = stored.filter(recipient=message.recipient, account=message.account)
    now = timezone.now()
    statuses = {Status.QUEUED} if is_unknown else RESENDABLE
    if unchanged.filter(status__in=statuses, resent_at=None).update(resent_at=now):
        if not is_unknown or queue().unknown(now).filter(pk=message.pk).delete()[0]:
            return now
        raise ValueError(f"Message {message.pk} cannot be sent again: its outcome was recorded meanwhile.")
    reason = obstacle(stored.get(), has_text=True)
    why = reason.value if reason else "its row has changed since it was read. Read it again."
    raise ValueError(f"Message {message.pk} cannot be sent again: {why}")
