"""Queue messages in the caller's transaction: `queue_sms`, `queue_message` and their async twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import router
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import outgoing
from django_messente_dlr.sending.option_names import suggest_names
from django_messente_dlr.sending.queue.drafts import Draft, draft, insert
from django_messente_dlr.sending.queue.push import push_on_commit
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import to_utc


@suggest_names
def queue_sms(
    to: str,
    text: str,
    *,
    sender: str = "",
    account: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    reference: str = "",
    validity: int | timedelta | None = None,
    send_at: datetime | None = None,
    autoconvert: str | None = None,
    charset: str | None = None,
    udh: str | None = None,
    text_store: str | None = None,
    not_before: datetime | None = None,
    priority: str | None = None,
) -> SmsMessage:
    """Queue one SMS and return its message. It belongs to the current transaction, and a rollback removes it.

    ``send_queued`` sends it after the commit. Its ``status`` is ``queued`` until then. The text is stored in the
    queue until the message is sent. A credit hold of the account delays the message.

    Args:
        to: the recipient's number, as for `send_sms`.
        text: the text to send.
        sender: the sender's name, verified by Messente; "" for the account's default.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        reference: your own key for the message, such as an order number.
        validity: how long Messente tries to deliver the SMS: whole minutes, or a timedelta; None for 6 hours.
        send_at: when Messente sends the SMS, as for `send_sms`.
        autoconvert: as for `send_sms`.
        charset: as for `send_sms`.
        udh: as for `send_sms`.
        text_store: how Messente stores the text: "plaintext", "sha256" or "nostore".
        not_before: when ``send_queued`` sends the SMS to Messente at the earliest: an aware datetime, at most a year
            ahead; None for now.
        priority: "low", "regular" or "high": messages of a higher priority are sent first, whenever they were queued.
            The Omnichannel API gets the value, too. None for "regular", and for Messente's default.

    Raises:
        ValueError, TypeError: a value cannot be sent. Nothing is stored.
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number. Nothing is stored.
        ImproperlyConfigured: the account is not configured, or the project's URLs do not include this app's.
    """
    message = outgoing.from_text(
        to,
        text,
        sender=sender,
        account=account,
        validity=validity,
        send_at=send_at,
        autoconvert=autoconvert,
        charset=charset,
        udh=udh,
        text_store=text_store,
    )
    queue_options: dict[str, Any] = {"not_before": not_before, "priority": priority}
    return _queue(draft(message, is_text=True, metadata=metadata, reference=reference, **queue_options))


@suggest_names
def queue_message(
    to: str,
    channels: Sequence[Any],
    *,
    account: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    reference: str = "",
    send_at: datetime | None = None,
    priority: str | None = None,
    text_store: str | None = None,
    not_before: datetime | None = None,
) -> SmsMessage:
    """Queue one message of one or several channels, as `queue_sms` queues an SMS. Return it.

    Args:
        to: the recipient's number, as for `send_sms`.
        channels: the channels in the order of preference, as for `send_message`.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        reference: your own key for the message, such as an order number.
        send_at: when Messente sends the message, as for `send_message`.
        priority: as for `queue_sms`.
        text_store: how Messente stores the text: "plaintext", "sha256" or "nostore".
        not_before: as for `queue_sms`.

    Raises:
        Exception: the same as `queue_sms`.
    """
    message = outgoing.from_channels(to, channels, account=account, send_at=send_at, text_store=text_store)
    queue_options: dict[str, Any] = {"not_before": not_before, "priority": priority}
    return _queue(draft(message, is_text=False, metadata=metadata, reference=reference, **queue_options))


async def aqueue_sms(to: str, text: str, **options: Any) -> SmsMessage:
    """Do what `queue_sms` does, without blocking the event loop. It takes the same arguments."""
    return await sync_to_async(queue_sms, thread_sensitive=True)(to, text, **options)


async def aqueue_message(to: str, channels: Sequence[Any], **options: Any) -> SmsMessage:
    """Do what `queue_message` does, without blocking the event loop. It takes the same arguments."""
    return await sync_to_async(queue_message, thread_sensitive=True)(to, channels, **options)


def _queue(rows: Draft) -> SmsMessage:
    """Insert the rows of a message, and push it on commit if it is due."""
    using = router.db_for_write(SmsMessage)
    # Not repeated after a lost connection, whose commit may have succeeded: a second row would be sent, too.
    message = db_retry.retry_on_contention(lambda: insert(rows, using=using), using=using, lost_connection=False)
    if rows.queued.due_at is not None and to_utc(rows.queued.due_at) <= to_utc(timezone.now()):
        push_on_commit(message.pk, using=using)
    return message
