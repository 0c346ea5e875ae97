"""Give one message to the backend, and record the result in its row.

It checks neither the credit hold nor whether the row was sent before: the caller does, in the way that it needs.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, NoReturn

from django.db import Error as DatabaseFailure
from django.db import router

from django_messente_dlr import receiving
from django_messente_dlr.backends import get_backend
from django_messente_dlr.backends.base import OutgoingMessage, SendResult
from django_messente_dlr.backends.recipients import addressed
from django_messente_dlr.exceptions import MessageNotSent, OutcomeUnknown
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.error_texts import untranslated
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import kept, mark, rows
from django_messente_dlr.utils import masking

logger = logging.getLogger(__name__)


def transmit(message: SmsMessage, outgoing: OutgoingMessage) -> SmsMessage:
    """Send a message whose row is committed, and record the result: accepted, refused, or nothing if it is unknown.

    No transaction may be open, so that no lock is held while Messente answers.

    Args:
        message: the row. Its delivery state is updated.
        outgoing: what to send.

    Raises:
        MessageNotSent: the message was certainly not sent. Its row stores the reason.
        OutcomeUnknown: the message may have been sent. Its row is unchanged.
    """
    try:
        outgoing = address(message, outgoing)
        kept.keep(message, outgoing)
        result = get_backend().send(outgoing)
    except MessageNotSent as exc:
        exc.sms_message = message
        _record_refusal(message, exc)
        raise
    except OutcomeUnknown as exc:
        exc.sms_message = message
        _reload(message)
        raise
    try:
        return record_accepted(message, outgoing, result)
    except Exception as exc:  # noqa: BLE001 - any error here must not read as "not sent"
        _raise_unrecorded(message, result, exc)


def address(message: SmsMessage, outgoing: OutgoingMessage) -> OutgoingMessage:
    """Return a message with the number that it may be sent to. If it is another one, its row is marked.

    Args:
        message: the row.
        outgoing: what to send.

    Raises:
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number.
    """
    result = addressed(outgoing)
    if result.to != outgoing.to and not message.overridden:
        message.overridden = True
        SmsMessage.objects.using(router.db_for_write(SmsMessage)).filter(pk=message.pk).update(overridden=True)
    return result


def record_accepted(
    message: SmsMessage, outgoing: OutgoingMessage, result: SendResult, *, may_be_queued: bool = False
) -> SmsMessage:
    """Record that Messente has accepted a message: its ids, its channels and when it is sent.

    Args:
        message: the row. Its delivery state is updated.
        outgoing: what was sent.
        result: Messente's answer.
        may_be_queued: whether the message may have a row in the send queue, which is then deleted.

    Raises:
        ValueError: the answer has no usable id, or one that belongs to another message.
        SmsMessage.DoesNotExist: the row is deleted.
    """
    ids = rows.validate_ids(result.sms_unique_id, result.omnimessage_id)
    columns: dict[str, Any] = {}
    if result.channels:
        columns["channel_count"] = len(result.channels)
        if len(message.channels) == len(result.channels):
            columns["channels"] = [
                {**stored, "message_id": sent.message_id}
                for stored, sent in zip(message.channels, result.channels, strict=True)
            ]
    return mark.confirm(message, ids, sent_at=outgoing.send_at, columns=columns, may_be_queued=may_be_queued)


def record_refusal(message: SmsMessage, error: MessageNotSent) -> None:
    """Record that a message was not sent: failed if the reason is temporary, else rejected. A report may correct it.

    Args:
        message: the row.
        error: the reason.
    """
    answer = masking.mask_in_text(untranslated(error))[:255]
    payload = {"answer": answer, "temporary": error.temporary}
    err = None if error.cause is None else int(error.cause)
    report = Report(
        source=Source.SEND,
        err=err,
        raw_err="" if err is None else str(err),
        error_text=answer,
        payload=payload,
    )
    receiving.record_final(message, report, Status.FAILED if error.temporary else Status.REJECTED)


def _record_refusal(message: SmsMessage, error: MessageNotSent) -> None:
    """Record a refusal. If the database is away, the row stays queued, and the exception still shows the reason."""
    try:
        record_refusal(message, error)
    except (DatabaseFailure, receiving.WriteConflict):
        logger.exception("Message %s was not sent, but this could not be stored.", message.pk)
    _reload(message)


def _raise_unrecorded(message: SmsMessage, result: SendResult, error: Exception) -> NoReturn:
    """Raise `OutcomeUnknown` for a message that Messente has accepted, but whose row does not show it."""
    sent_id = result.sms_unique_id or result.omnimessage_id
    if isinstance(error, ValueError):
        text = f"Messente accepted the message, but the id in its response is not usable. {error}"
    else:
        # A report to the message's callback URL contains the id again. Until it arrives, only this log entry does.
        logger.error("Message %s was sent, but its id %s could not be stored.", message.pk, sent_id, exc_info=error)
        text = (
            f'Messente accepted the message with the id "{sent_id}", but the row {message.pk} could not be updated '
            f"({type(error).__name__}). Do not send it again. Its report sets the status, or mark_sent with this id."
        )
    exc = OutcomeUnknown(text)
    exc.sms_message = message
    _reload(message)
    raise exc from (None if isinstance(error, ValueError) else error)


def _reload(message: SmsMessage) -> None:
    """Reload a message for an exception: a report may have arrived during the request to Messente."""
    # An error here must not replace the exception that states whether the message was sent.
    with suppress(DatabaseFailure, SmsMessage.DoesNotExist):
        receiving.reload(message)
