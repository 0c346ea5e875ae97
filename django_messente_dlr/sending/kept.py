"""Keep what messages contain until they are final, if ``RESEND`` is set and ``STORE_TEXT`` is not."""

from __future__ import annotations

import logging
from collections.abc import Collection

from django.db import Error as DatabaseFailure
from django.db import models, router, transaction

from django_messente_dlr import conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.models import QueuedMessage, ResendContent, SmsMessage, chains
from django_messente_dlr.sending.queue import content

logger = logging.getLogger(__name__)


def keep(message: SmsMessage, outgoing: OutgoingMessage) -> None:
    """Keep the content of a message that is about to be sent. An error is logged: the message is sent nevertheless.

    Args:
        message: the row.
        outgoing: what is sent.
    """
    if not _is_needed(message):
        return
    using = router.db_for_write(ResendContent)
    try:
        row = ResendContent(message=message, content=content.to_json(outgoing))
        with transaction.atomic(using=using):
            ResendContent.objects.using(using).bulk_create([row], ignore_conflicts=True)
    except (ValueError, DatabaseFailure):
        logger.exception("The content of message %s was not kept, so RESEND cannot send it again.", message.pk)


def keep_queued(rows: Collection[QueuedMessage], *, using: str) -> None:
    """Keep the contents of queued messages, in the transaction that records the attempt to send them.

    Args:
        rows: the rows, with their messages.
        using: the alias of the database.
    """
    kept = [ResendContent(message=row.message, content=row.content) for row in rows if _is_needed(row.message)]
    if kept:
        ResendContent.objects.using(using).bulk_create(kept, ignore_conflicts=True)


def kept_content(message: SmsMessage) -> ResendContent | None:
    """Return the row with the content of a message, or None if it is not kept."""
    return _rows().filter(pk=message.pk).first()


def delete_kept(message: SmsMessage) -> None:
    """Delete the content of a message that is kept, in the current transaction."""
    _rows().filter(pk=message.pk).delete()


def _rows() -> models.QuerySet[ResendContent]:
    return ResendContent.objects.using(router.db_for_write(ResendContent))


def _is_needed(message: SmsMessage) -> bool:
    config = conf.get_config()
    if config.resend is None or config.store_text:
        return False
    return chains.next_attempt(message) <= config.resend.attempts
