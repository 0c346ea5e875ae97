"""Check and convert single values of a message: its SMS channel, its times and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr.messente.channel_values import clean_text, duration
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils.times import to_db_datetime, to_utc

# A later time is a mistake of the caller. The limit also avoids an OverflowError when an interval is added to it.
MAX_SEND_DELAY = timedelta(days=366)
MAX_VALIDITY = 2**31 - 1  # seconds: the limit of the column on every database
MAX_SENDER = 32


def sms_channel(text: Any, *, sender: Any, validity: Any, autoconvert: Any, udh: Any) -> dict[str, Any]:
    """Return an SMS as the JSON object of the Omnichannel API.

    Args:
        text: the text.
        sender: the sender's name.
        validity: whole minutes, a timedelta or None.
        autoconvert: "on", "full", "off" or None.
        udh: the user data header in hexadecimal digits, or None.

    Raises:
        ValueError, TypeError: a value cannot be sent.
    """
    # str() would send each unexpected object as its text, such as "b'Tere'".
    content = clean_text("" if text is None else text, name="The text")
    if not content:
        raise ValueError("The text is empty. Pass the text to send.")
    sender = clean_text(sender or "", name="sender")
    if len(sender) > MAX_SENDER:
        raise ValueError(f'The sender "{sender[:80]}" is longer than {MAX_SENDER} characters. Shorten it.')
    channel: dict[str, Any] = {"channel": "sms", "text": content, "sender": sender}
    channel["validity"] = None if validity is None else duration(validity, unit=60, name="validity")
    channel |= {"autoconvert": option(autoconvert, "autoconvert"), "udh": option(udh, "udh")}
    return {name: value for name, value in channel.items() if value}


def stored_sms(message: SmsMessage, text: str | None = None) -> dict[str, Any]:
    """Return the SMS of a row of `send_sms` as the JSON object of the Omnichannel API.

    Args:
        message: the row.
        text: the text; None for that of the row.

    Raises:
        ValueError, TypeError: the text cannot be sent.
    """
    options = {name: message.options.get(name) for name in ("validity", "autoconvert", "udh")}
    return sms_channel(message.text if text is None else text, sender=message.sender, **options)


def option(value: Any, name: str) -> str:
    """Return an option's text, or "" for None. Words are not checked: Messente may add some.

    Raises:
        TypeError: the value is not a text.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value, name=name)
    hint = ' Pass "on" or "off".' if isinstance(value, bool) and name == "autoconvert" else ""
    raise TypeError(f"{name} must be a text (str), not {type(value).__name__}.{hint}")


def scheduled_time(at: Any, *, name: str = "send_at") -> datetime | None:
    """Return when a message is to be sent, or None for now: also for a time in the past.

    Args:
        at: the time.
        name: the name of the argument, for the error.

    Raises:
        TypeError: the value is not a datetime.
        ValueError: the time has no time zone, or is more than a year ahead.
    """
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise TypeError(
            f"{name} must be an aware datetime, not {type(at).__name__}. For a delay, pass timezone.now() plus the "
            "delay."
        )
    if timezone.is_naive(at):
        raise ValueError(
            f"{name} has no time zone. Pass an aware datetime, such as django.utils.timezone.make_aware({name})."
        )
    now = to_utc(timezone.now())
    if at > now + MAX_SEND_DELAY:
        raise ValueError(f"{name} is more than a year ahead: {at}. Messages can be scheduled for a year at most.")
    return at if at > now else None


def future(send_at: datetime | None) -> datetime | None:
    """Return a stored time as an aware datetime, or None if it is in the past."""
    return to_utc(send_at) if send_at and to_utc(send_at) > to_utc(timezone.now()) else None


def db_time(send_at: datetime | None) -> datetime:
    """Return the time at which a message is to be sent, for its row; the current time for None."""
    return to_db_datetime(send_at or timezone.now())


def total_validity(channels: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the seconds in which Messente tries all channels, or None if one has Messente's default.

    Args:
        channels: the JSON objects of the channels.
    """
    total = 0
    for channel in channels:
        seconds = _seconds(channel.get("ttl")) or 60 * _seconds(channel.get("validity"))
        if not seconds:
            return None
        total += seconds
    return min(total, MAX_VALIDITY)


def validity_seconds(validity: Any) -> int:
    """Return the validity of a message in seconds, for its row.

    Args:
        validity: whole minutes, or a timedelta.

    Raises:
        TypeError: the value is neither an integer nor a timedelta.
        ValueError: it is not positive, longer than a year, or not a whole number of minutes.
    """
    return 60 * duration(validity, unit=60, name="validity")


def text_of(channels: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the first channel that has one; "" if none has.

    Args:
        channels: the JSON objects of the channels.
    """
    for channel in channels:
        text = channel.get("text")
        text = text.get("body") if isinstance(text, Mapping) else text  # WhatsApp
        if text and isinstance(text, str):
            return text
    return ""


def _seconds(value: Any) -> int:
    """Return a positive integer, or 0: an object of another package can have any value."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
