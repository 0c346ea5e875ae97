"""Send messages with `send_sms` and `send_message`, or record one that another client sends with `prepare_sms`.

The message's row is committed before Messente is called, and the ``dlr-url`` contains the row's primary key. A report
therefore matches its message even if the report arrives before Messente's response to the request.

A message is marked as sent or failed only if Messente's response proves it. Otherwise `OutcomeUnknown` is raised, and
a report or a poll decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async

from django_messente_dlr import accounts, conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.backends.recipients import check_prepared
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import columns, outgoing, rows
from django_messente_dlr.sending.option_names import suggest_names
from django_messente_dlr.sending.texts import check_parts
from django_messente_dlr.sending.transmit import transmit


@suggest_names
def send_sms(
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
) -> SmsMessage:
    """Send one SMS through Messente and return its message.

    Messente sends the delivery reports to the message's callback URL, and `poll_dlrs` polls for missing ones. The
    setting ``SEND_API`` selects Messente's API.

    Args:
        to: the recipient's number in international format, such as "+37255500000". Blanks, hyphens, dots and
            brackets are removed. With ``DEFAULT_REGION``, also a national number.
        text: the text to send, in at most ``MAX_PARTS`` parts. It is stored only if ``STORE_TEXT`` is set.
        sender: the sender's name, verified by Messente; "" for the account's default.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        reference: your own key for the message, such as an order number: see ``SmsMessage.objects.for_reference``.
        validity: how long Messente tries to deliver the SMS: whole minutes, or a timedelta; None for 6 hours.
        send_at: when Messente sends the SMS: an aware datetime, at most a year ahead. A time in the past is now.
        autoconvert: what Messente does with characters that are not in the GSM alphabet: "on", "full" or "off".
        charset: the character set of the text, only with ``SEND_API = "sms"``.
        udh: the user data header in hexadecimal digits.
        text_store: how Messente stores the text: "plaintext", "sha256" or "nostore".

    Raises:
        ValueError, TypeError: a value cannot be sent. Nothing is sent or stored.
        SendInsideTransaction: a transaction is open. Call ``send_sms`` from ``transaction.on_commit``.
        CreditsExhausted: the account is on hold; see ``HOLD_ON_CREDITS_EXHAUSTED``. Nothing is sent or stored.
        OutcomeUnknown: Messente may have sent the message, or not. The message (``sms_message`` of the exception)
            stays queued until a report arrives, and becomes unresolved 48 hours after its validity. Do not send
            it again.
        MessageNotSent: the message was not sent. Its row (``sms_message`` of the exception) stores the reason, and
            the signal ``dlr_failed`` is sent for it.
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
    return _send(message, is_text=True, metadata=metadata, reference=reference)


@suggest_names
def send_message(
    to: str,
    channels: Sequence[Any],
    *,
    account: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    reference: str = "",
    send_at: datetime | None = None,
    priority: str | None = None,
    text_store: str | None = None,
) -> SmsMessage:
    """Send one message through Messente's Omnichannel API, by the first of several channels that delivers it.

    Args:
        to: the recipient's number, as for `send_sms`.
        channels: the channels in the order of preference, such as ``[Viber("Tere", ttl=60), Sms("Tere")]``. Objects
            of the official package messente-api are sent as they are.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        reference: your own key for the message, such as an order number.
        send_at: when Messente sends the message: an aware datetime, at most a year ahead. A time in the past is now.
        priority: "low", "regular" or "high".
        text_store: how Messente stores the text: "plaintext", "sha256" or "nostore".

    Raises:
        Exception: the same as `send_sms`.
    """
    message = outgoing.from_channels(
        to, channels, account=account, send_at=send_at, priority=priority, text_store=text_store
    )
    return _send(message, is_text=False, metadata=metadata, reference=reference)


async def asend_sms(to: str, text: str, **options: Any) -> SmsMessage:
    """Do what `send_sms` does, without blocking the event loop. It takes the same arguments."""
    return await sync_to_async(send_sms, thread_sensitive=True)(to, text, **options)


async def asend_message(to: str, channels: Sequence[Any], **options: Any) -> SmsMessage:
    """Do what `send_message` does, without blocking the event loop. It takes the same arguments."""
    return await sync_to_async(send_message, thread_sensitive=True)(to, channels, **options)


@suggest_names
def prepare_sms(
    to: str,
    *,
    sender: str = "",
    account: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    text: str = "",
    channel: str = "sms",
    reference: str = "",
) -> SmsMessage:
    """Record a message that is going to be sent, and return it. Its URL is ``callback_url``.

    Send it with `send_prepared`, or with another client. For that client, pass the URL to Messente as ``dlr-url``
    (SMS API) or ``dlr_url`` (Omnichannel), and the id that Messente returns to `mark_sent`. If a transaction is open,
    call Messente after its commit. After a rollback the URL belongs to no message or, on SQLite, to the next message,
    because SQLite uses the primary key again.

    Args:
        to: the recipient's number, as for `send_sms`.
        sender: the sender's name.
        account: the account's name in ``MESSENTE_DLR``; None for ``DEFAULT_ACCOUNT``.
        metadata: data of your project to store with the message; must be serializable as JSON.
        text: the text. It is stored only if ``STORE_TEXT`` is set.
        channel: the channel, such as sms, viber, whatsapp or rcs.
        reference: your own key for the message, such as an order number.

    Raises:
        ValueError: the number is not a phone number, a text is too long, or a value cannot be stored.
        CreditsExhausted: the account is on hold; see ``HOLD_ON_CREDITS_EXHAUSTED``. Nothing is stored.
        RecipientNotAllowed: see ``ALLOWED_RECIPIENTS`` and ``OVERRIDE_RECIPIENT``. Nothing is stored.
        ImproperlyConfigured: the account is not configured.
    """
    name = conf.account(account).name
    check_parts({"channel": channel, "text": text})
    accounts.refuse_if_held(name)
    message = rows.build_message(
        to, text=text, sender=sender, account=name, metadata=metadata, channel=channel, reference=reference
    )
    check_prepared(message.recipient)
    return rows.insert_with_matching(message)


def _send(
    message: OutgoingMessage, *, is_text: bool, metadata: Mapping[str, Any] | None, reference: str
) -> SmsMessage:
    """Commit a row for a message and send it."""
    described = columns.columns_of(message, is_text=is_text)
    row = rows.build_message(message.to, account=message.account, metadata=metadata, reference=reference, **described)
    accounts.refuse_if_held(message.account)
    rows.insert_durably(row)
    return transmit(row, outgoing.for_row(message, row))
