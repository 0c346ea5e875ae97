"""Check the length of the texts of a message before its row is created."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_messente_dlr import conf
from django_messente_dlr.utils.message_parts import UNITS, message_parts


def check_parts(channel: Mapping[str, Any]) -> None:
    """Check that the text of an SMS has no more parts than ``MAX_PARTS``.

    Texts of other channels are not sent in parts. A text with a user data header (``udh``) is one part of a text that
    the caller has split.

    Args:
        channel: the JSON object of the channel.

    Raises:
        ValueError: the text has more parts.
    """
    text = channel.get("text")
    if channel.get("channel") != "sms" or not isinstance(text, str) or not text or channel.get("udh"):
        return
    length, limit = message_parts(text), conf.get_config().max_parts
    if length.parts > limit:
        single, multiple = UNITS[length.encoding]
        raise ValueError(
            f"The text has {length.parts} parts as an SMS: {length.characters} characters in {length.encoding}. The "
            f"setting MAX_PARTS allows {limit}, which is {single if limit == 1 else multiple * limit} characters. "
            "Shorten the text, or increase MAX_PARTS: each part is charged for."
        )
