"""Build an `OutgoingMessage` from the content that a row stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_messente_dlr import conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.messente.channel_values import WITHOUT_CONTENT
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import values
from django_messente_dlr.utils.phone_numbers import with_plus


def has_content(message: SmsMessage) -> bool:
    """Return whether the text of a message, or the content of each of its channels, is stored."""
    if not message.channels:
        return bool(message.text)
    return all(channel.keys() - WITHOUT_CONTENT for channel in message.channels)


def stored_message(message: SmsMessage, *, text: str | None = None) -> OutgoingMessage:
    """Return the message of a row with the options that it was created with, to be sent now, without a callback URL.

    Args:
        message: the row.
        text: replaces the text of a message of one SMS; None for the stored text.

    Raises:
        ValueError: the content is not stored, the recipient's number is erased, or the text cannot be sent.
        TypeError: the text is not a text.
        ImproperlyConfigured: the account is not configured.
    """
    if message.is_erased:
        raise ValueError(f"The recipient of message {message.pk} is erased, so it cannot be sent.")
    if text is None and not has_content(message):
        raise ValueError(
            f"The content of message {message.pk} is not stored. Pass the text or the channels, or set STORE_TEXT to "
            "store those of future messages."
        )
    channels: tuple[Mapping[str, Any], ...] = tuple(
        {name: value for name, value in channel.items() if name != "message_id"} for channel in message.channels
    )
    if not channels:
        channels = (values.stored_sms(message, text),)
    options: Mapping[str, Any] = message.options
    # A row that another client has sent has no option "api".
    default_api = "omnichannel" if message.channels else conf.get_config().send_api
    return OutgoingMessage(
        to=with_plus(message.recipient),
        channels=channels,
        account=conf.account(message.account).name,
        api=str(options.get("api") or default_api),
        priority=str(options.get("priority", "")),
        text_store=str(options.get("text_store", "")),
        charset=str(options.get("charset", "")),
    )
