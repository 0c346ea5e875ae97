"""The chain of a message that is sent again by the setting ``RESEND``: each message repeats the one before it.

A message that a person or the project has sent again with `resend` begins a chain of its own, because its text may
be another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import router

from django_messente_dlr.models.messages import SmsMessage
from django_messente_dlr.models.querysets import SmsMessageQuerySet
from django_messente_dlr.models.statuses import Status


def next_attempt(message: SmsMessage) -> int:
    """Return the ``attempt`` of the message that follows a message in its chain."""
    return (message.attempt or 0) + 1


def successor(message: SmsMessage) -> SmsMessage | None:
    """Return the message that follows a message in its chain, or None."""
    if message.resent_at is None:
        return None
    return _messages().filter(resend_of=message.pk, attempt=next_attempt(message)).first()


def later_messages(message: SmsMessage) -> Iterator[SmsMessage]:
    """Read the messages that follow a message in its chain, in their order."""
    current = successor(message)
    while current is not None:
        yield current
        current = successor(current)


def is_delivered_earlier(message: SmsMessage) -> bool:
    """Return whether a message before this one in its chain was delivered, so that this one is not needed."""
    current: SmsMessage | None = message
    while current is not None and current.attempt is not None and current.resend_of_id is not None:
        current = _messages().filter(pk=current.resend_of_id).first()
        if current is not None and Status(current.status).is_delivery:
            return True
    return False


def _messages() -> SmsMessageQuerySet:
    return SmsMessage.objects.using(router.db_for_write(SmsMessage))
