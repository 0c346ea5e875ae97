"""Check one channel of an omnimessage: its name, its content, and the time after which the next channel is tried.

The rules are those of the official client (messente-api: ``Viber``, ``SMS``, ``WhatsApp``, ``Rcs``). What a channel's
objects contain is not checked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

# The official client's channels (messente-api: ``Channel``), and telegram from Messente's documentation.
CHANNELS = frozenset({"sms", "viber", "whatsapp", "telegram", "rcs"})
# A message over the channel has exactly one of these fields.
CONTENTS = {
    "whatsapp": ("text", "image", "video", "audio", "document", "sticker", "template"),
    "rcs": ("text", "content_info", "rich_card"),
}
MAX_RCS_TEXT = 3072
AUTOCONVERT = frozenset({"on", "full", "off"})


class InvalidOmnimessageError(Exception):
    """The body of the request is not a valid omnimessage.

    Args:
        sentence: describes the error.
        source: the invalid field, or None if the body as such is invalid.
        missing: whether the field is missing.
    """

    def __init__(self, sentence: str, *, source: str | None = None, missing: bool = False) -> None:
        super().__init__(sentence)
        self.source = source
        self.missing = missing


def string(fields: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """Return a field that is a string, or "" if it is missing or null."""
    value = fields.get(name)
    if value is None or value == "":
        if required:
            raise InvalidOmnimessageError(f"The field {name} is missing.", source=name, missing=True)
        return ""
    if not isinstance(value, str):
        raise InvalidOmnimessageError(f"The field {name} is not a string.", source=name)
    return value


def check_choice(fields: Mapping[str, Any], name: str, choices: Collection[str]) -> None:
    """Raise `InvalidOmnimessageError` if a field is set to another value than one of ``choices``."""
    value = string(fields, name)
    if value and value not in choices:
        raise InvalidOmnimessageError(f"The field {name} is not one of {', '.join(sorted(choices))}.", source=name)


def channel_of(content: Mapping[str, Any]) -> str:
    """Return the name of a channel. Raise `InvalidOmnimessageError` if it or its fields are invalid."""
    check_choice(content, "channel", CHANNELS)
    channel = string(content, "channel") or "sms"
    for name in ("ttl", "validity"):
        value = content.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value <= 0):
            raise InvalidOmnimessageError(f"The field {name} is not a positive integer.", source=name)
    if content.get("ttl") is not None and content.get("validity") is not None:
        raise InvalidOmnimessageError("Only one of ttl and validity can be used.", source="ttl")
    check_choice(content, "autoconvert", AUTOCONVERT)
    _check_contents(channel, content)
    return channel


def text_of(content: Mapping[str, Any]) -> str:
    """Return the text of a channel: an SMS must have one, and that of another channel may be an object."""
    if channel_of(content) in {"sms", "rcs"}:
        return string(content, "text", required=channel_of(content) == "sms")
    text = content.get("text")
    return text if isinstance(text, str) else ""


def _check_contents(channel: str, content: Mapping[str, Any]) -> None:
    names = CONTENTS.get(channel, ())
    given = [name for name in names if content.get(name)]
    if names and len(given) != 1:
        raise InvalidOmnimessageError(
            f"A message over {channel} has exactly one of {', '.join(names)}.",
            source=given[1] if given else names[0],
            missing=not given,
        )
    if channel == "rcs":
        string(content, "sender", required=True)
        if len(string(content, "text")) > MAX_RCS_TEXT:
            raise InvalidOmnimessageError(f"The text has more than {MAX_RCS_TEXT} characters.", source="text")
    if channel == "whatsapp" and not isinstance(content[given[0]], dict):
        raise InvalidOmnimessageError(f"The field {given[0]} is not an object.", source=given[0])
