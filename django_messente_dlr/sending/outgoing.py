"""Check the arguments of a message, and build an `OutgoingMessage` from them or from a stored row."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from django_messente_dlr import conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.backends.recipients import addressed
from django_messente_dlr.callbacks import paths
from django_messente_dlr.messente.channel_values import channel_objects
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.recipients import recipient_number
from django_messente_dlr.sending import values
from django_messente_dlr.sending.texts import check_parts


def from_text(
    to: Any,
    text: Any,
    *,
    sender: Any = "",
    account: str | None = None,
    validity: Any = None,
    send_at: datetime | None = None,
    autoconvert: str | None = None,
    charset: str | None = None,
    udh: str | None = None,
    text_store: str | None = None,
    api: str = "",
) -> OutgoingMessage:
    """Return a message of one SMS, by the API of the setting ``SEND_API``.

    Args:
        to: the recipient's number.
        text: the text.
        sender: the sender's name.
        account: the account's name; None for ``DEFAULT_ACCOUNT``.
        validity: whole minutes, or a timedelta.
        send_at: when Messente sends the message, as an aware datetime; None for now.
        autoconvert: "on", "full" or "off".
        charset: the character set (SMS API only).
        udh: the user data header in hexadecimal digits.
        text_store: how Messente stores the text.
        api: "omnichannel" or "sms"; "" for ``SEND_API``.

    Raises:
        ValueError, TypeError: a value cannot be sent.
        ImproperlyConfigured: the account is not configured, or the project's URLs do not include this app's.
    """
    api = api or conf.get_config().send_api
    if charset and api != "sms":
        raise ValueError(
            'charset is a parameter of the SMS API, but SEND_API is "omnichannel". Omit charset, or set SEND_API to '
            '"sms" in MESSENTE_DLR. The Omnichannel API has autoconvert.'
        )
    channel = values.sms_channel(text, sender=sender, validity=validity, autoconvert=autoconvert, udh=udh)
    return _build(
        to, (channel,), account=account, api=api, send_at=send_at, text_store=text_store, charset=charset or ""
    )


def from_channels(
    to: Any,
    channels: Any,
    *,
    account: str | None = None,
    send_at: datetime | None = None,
    priority: str | None = None,
    text_store: str | None = None,
) -> OutgoingMessage:
    """Return a message of one or several channels, by the Omnichannel API.

    Args:
        to: the recipient's number.
        channels: a list of `Viber`, `WhatsApp`, `Rcs`, `Sms`, or of objects of messente-api.
        account: the account's name; None for ``DEFAULT_ACCOUNT``.
        send_at: when Messente sends the message, as an aware datetime; None for now.
        priority: "low", "regular" or "high".
        text_store: how Messente stores the text.

    Raises:
        ValueError, TypeError: a value cannot be sent.
        ImproperlyConfigured: the account is not configured, or the project's URLs do not include this app's.
    """
    objects = channel_objects(channels)
    return _build(
        to, objects, account=account, api="omnichannel", send_at=send_at, text_store=text_store, priority=priority
    )


def for_row(outgoing: OutgoingMessage, message: SmsMessage) -> OutgoingMessage:
    """Return a message with the callback URL of its row.

    Args:
        outgoing: the message.
        message: the saved row.
    """
    return replace(outgoing, dlr_url=message.callback_url if conf.get_config().callback_base_url else "")


def check(message: OutgoingMessage) -> None:
    """Check a message before a row is written for it.

    Args:
        message: the message.

    Raises:
        ValueError: a text has more parts than ``MAX_PARTS``.
        RecipientNotAllowed: ``ALLOWED_RECIPIENTS`` does not contain the number.
        ImproperlyConfigured: the project's URLs do not include this app's.
    """
    _check_urls()
    for channel in message.channels:
        check_parts(channel)
    addressed(message)


def _build(
    to: Any,
    channels: tuple[dict[str, Any], ...],
    *,
    account: str | None,
    api: str,
    send_at: datetime | None,
    text_store: str | None,
    priority: str | None = None,
    charset: str = "",
) -> OutgoingMessage:
    name = conf.account(account).name
    message = OutgoingMessage(
        to=recipient_number(to),
        channels=channels,
        account=name,
        api=api,
        send_at=values.scheduled_time(send_at),
        priority=values.option(priority, "priority"),
        text_store=values.option(text_store, "text_store"),
        charset=values.option(charset, "charset"),
    )
    check(message)
    return message


def _check_urls() -> None:
    """Check that callback URLs can be created, before a row is written for a message that has one.

    Raises:
        ImproperlyConfigured: the project's URLs do not include this app's.
    """
    if not conf.get_config().callback_base_url:
        return
    try:
        paths.webhook_path()
    except NoReverseMatch:
        raise ImproperlyConfigured(
            "The project's URLs do not include django_messente_dlr.urls, so the message would have no callback URL. "
            'Add path("messente/", include("django_messente_dlr.urls")) to urlpatterns.'
        ) from None
