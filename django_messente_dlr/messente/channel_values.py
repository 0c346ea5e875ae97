"""Check and convert the values of an outgoing message: texts, intervals, and channels given by other packages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise

MAX_DURATION = timedelta(days=366)
# What a channel's object has besides its content. The content is stored only if STORE_TEXT is set.
WITHOUT_CONTENT = frozenset({"channel", "sender", "ttl", "validity", "autoconvert", "udh", "message_id"})


def clean_text(value: Any, *, name: str) -> str:
    """Return a text that can be sent and stored. A lazy translation is evaluated.

    Args:
        value: the text.
        name: names the value in errors.

    Raises:
        TypeError: the value is not a text.
        ValueError: the text has a character that cannot be sent.
    """
    if not isinstance(value, str | Promise):
        # str() of bytes is "b'Tere'".
        advice = "Pass .decode() of it." if isinstance(value, bytes | bytearray) else "Pass str() of it."
        raise TypeError(f"{name} must be a text (str), not {type(value).__name__}. {advice}")
    text = str(value)
    if "\0" in text:
        raise ValueError(
            f"{name} contains a NUL character at index {text.index(chr(0))}, which cannot be sent. Remove it."
        )
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        # A lone surrogate is usually half of an emoji: JavaScript truncates strings in UTF-16 code units.
        raise ValueError(
            f"{name} contains half a character (a lone surrogate) at index {exc.start}, which cannot be sent. "
            "Truncate texts between characters."
        ) from None
    return text


def duration(value: Any, *, unit: int, name: str) -> int:
    """Return an interval as a number of seconds or minutes.

    Args:
        value: a number of units, or a timedelta.
        unit: the seconds of a unit: 1 or 60.
        name: names the value in errors.

    Raises:
        TypeError: the value is neither an integer nor a timedelta.
        ValueError: it is not positive, longer than a year, or not a whole number of units.
    """
    unit_name = "seconds" if unit == 1 else "minutes"
    if isinstance(value, bool) or not isinstance(value, int | timedelta):
        raise TypeError(
            f"{name} must be a whole number of {unit_name} (int) or a timedelta, not {type(value).__name__}."
        )
    if isinstance(value, int):
        if not 0 < value * unit <= MAX_DURATION.total_seconds():
            raise ValueError(f"{name} must be from 1 {unit_name[:-1]} to a year, not {value} {unit_name}.")
        return value
    count, rest = divmod(value, timedelta(seconds=unit))
    if rest:
        raise ValueError(f"{name} must be a whole number of {unit_name}, not {value}. Round it.")
    if not timedelta(0) < value <= MAX_DURATION:
        raise ValueError(f"{name} must be from 1 {unit_name[:-1]} to a year, not {value}.")
    return count


def compact(value: Any) -> Any:
    """Return JSON without the members that are None, as the official client sends it."""
    if isinstance(value, Mapping):
        return {name: compact(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [compact(member) for member in value]
    return value


def channel_objects(channels: Any) -> tuple[dict[str, Any], ...]:
    """Return the channels of a message as JSON objects of the Omnichannel API.

    Args:
        channels: a list of objects with ``to_dict()``: those of `channels`, or of the official package messente-api.

    Raises:
        TypeError: it is not a list, one of them is no channel, or has a value that is not JSON.
        ValueError: the list is empty, or a text cannot be sent.
    """
    if isinstance(channels, str | bytes | Mapping) or not isinstance(channels, Sequence):
        raise TypeError(
            f"channels must be a list such as [Viber(…), Sms(…)], not {type(channels).__name__}. For a text, call "
            "send_sms."
        )
    if not channels:
        raise ValueError("channels is empty. Pass at least one channel, such as [Sms(text)].")
    return tuple(_channel_object(channel, position) for position, channel in enumerate(channels, start=1))


def _channel_object(channel: Any, position: int) -> dict[str, Any]:
    to_dict = getattr(channel, "to_dict", None)
    # A class has the method, too, but no values.
    fields = to_dict() if callable(to_dict) and not isinstance(channel, type) else None
    if not isinstance(fields, Mapping):
        raise TypeError(
            f"Channel {position} is a {type(channel).__name__}. Pass Viber, WhatsApp, Rcs or Sms of "
            "django_messente_dlr.sending, or an object of messente-api: their to_dict() returns a dict."
        )
    fields = compact(fields)
    if not isinstance(fields.get("channel"), str) or not fields["channel"]:
        raise ValueError(f'Channel {position} has no name: its to_dict() has no text "channel", such as "sms".')
    try:
        json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise TypeError(f"Channel {position} has a value that is not JSON: {exc}. Pass its text.") from None
    for text in _texts(fields):
        clean_text(text, name=f"Channel {position} ({fields['channel'][:16]})")
    return dict(fields)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield str(name)
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
