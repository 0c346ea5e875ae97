"""Which messages may be sent again, and why others may not."""

from __future__ import annotations

import enum

from django.db import router
from django.utils import timezone

from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending.stored import has_content
from django_messente_dlr.utils.phone_numbers import spellings

# A message with one of these did not arrive, or Messente reported nothing as long as it keeps reports.
RESENDABLE = frozenset({Status.FAILED, Status.REJECTED, Status.UNRESOLVED})


class Obstacle(enum.Enum):
    """Why a message cannot be sent again. The value continues the sentence of the exception of `resend`."""

    ERASED = "its recipient is erased. Call send_sms or send_message with a number."
    NO_RECIPIENT = "its recipient is not known. Call send_sms or send_message with the number."
    DELIVERED = "it reached its recipient."
    RESENT = "it was already sent again. If its resend fails, too, resend that one: see message.resends."
    CANCELLED = "it was cancelled. Call send_sms or send_message for a new message."
    PENDING = "it may still arrive. Wait until it has failed, or is unresolved."
    OTHER_CHANNEL = "another client sent it by a channel other than SMS. Call send_message with the channels."
    TEXT_NOT_STORED = "its text is not stored. Pass text, or set STORE_TEXT to store the texts of future messages."
    CONTENT_NOT_STORED = (
        "the content of its channels is not stored. Call send_message with the channels, or set STORE_TEXT to store "
        "the content of future messages."
    )


def obstacle(message: SmsMessage, *, has_text: bool = False, is_unknown: bool = False) -> Obstacle | None:
    """Return why a message cannot be sent again, or None if it can, as far as its row shows.

    Args:
        message: the message.
        has_text: whether the caller has a text, so that none needs to be stored.
        is_unknown: whether it is in the send queue with an unknown outcome, and may arrive twice. The queue has its
            content. Of a message that has failed it states only that the caller has its content.
    """
    if (reason := _number_obstacle(message)) or (reason := _status_obstacle(message, is_unknown=is_unknown)):
        return reason
    return None if is_unknown else _content_obstacle(message, has_text=has_text)


def unknown_outcome(message: SmsMessage) -> QueuedMessage | None:
    """Return the row of a message in the send queue if its outcome is unknown, or None."""
    if message.status != Status.QUEUED:
        return None
    queued = QueuedMessage.objects.using(router.db_for_write(QueuedMessage)).unknown(timezone.now())
    return queued.filter(pk=message.pk).first()


def _number_obstacle(message: SmsMessage) -> Obstacle | None:
    if message.is_erased:
        return Obstacle.ERASED
    return None if spellings(message.recipient) else Obstacle.NO_RECIPIENT


def _status_obstacle(message: SmsMessage, *, is_unknown: bool) -> Obstacle | None:
    status = Status(message.status)
    if status.is_delivery:
        return Obstacle.DELIVERED
    if message.resent_at is not None:
        return Obstacle.RESENT
    if status in RESENDABLE or (is_unknown and status is Status.QUEUED):
        return None
    return Obstacle.CANCELLED if status is Status.CANCELLED else Obstacle.PENDING


def _content_obstacle(message: SmsMessage, *, has_text: bool) -> Obstacle | None:
    if message.channels:
        return None if has_content(message) else Obstacle.CONTENT_NOT_STORED
    if message.channel != "sms":
        return Obstacle.OTHER_CHANNEL
    return None if has_text or message.text else Obstacle.TEXT_NOT_STORED
