"""Count the parts in which a text is sent as SMS (3GPP TS 23.038 for the characters, TS 23.040 for the parts).

A text whose characters are all in the GSM 7-bit default alphabet or its extension table is sent in that alphabet. Any
other text is sent in UCS-2. One part has 140 octets: 160 septets or 70 units of 16 bits. Each part of a longer text
begins with a header of six octets, which leaves 153 septets or 67 units.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django_messente_dlr.messente.channel_values import clean_text

# The default alphabet in the order of its table (TS 23.038, section 6.2.1), without the escape code 0x1B.
GSM_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# The extension table (section 6.2.1.1). Each of its characters is sent as the escape code and a second septet.
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
GSM_7, UCS_2 = "GSM-7", "UCS-2"
# The units of a text of one part, and of each part of a longer text.
UNITS = {GSM_7: (160, 153), UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageParts:
    """The length of a text as SMS.

    Attributes:
        encoding: "GSM-7" or "UCS-2".
        characters: the length in the units of the encoding: a character of GSM-7's extension table counts as two, and
            so does a character that UCS-2 writes as a surrogate pair, such as an emoji.
        parts: the number of SMS that Messente sends and charges for, unless it converts the text (``autoconvert``).
    """

    encoding: str
    characters: int
    parts: int


def message_parts(text: Any) -> MessageParts:
    """Return the encoding, the length and the number of parts of a text as SMS.

    Args:
        text: the text.

    Raises:
        TypeError: the value is not a text.
        ValueError: the text is empty, or has a character that cannot be sent.
    """
    text = clean_text(text, name="The text")
    if not text:
        raise ValueError("The text is empty. Pass the text of the SMS.")
    encoding = GSM_7 if GSM_ALPHABET.issuperset(text.translate(_WITHOUT_EXTENSION)) else UCS_2
    sizes = [2 if _is_double(char, encoding) else 1 for char in text]
    single, multiple = UNITS[encoding]
    total = sum(sizes)
    return MessageParts(
        encoding=encoding, characters=total, parts=1 if total <= single else _count_parts(sizes, limit=multiple)
    )


def _is_double(char: str, encoding: str) -> bool:
    return char in GSM_EXTENSION if encoding == GSM_7 else char > "\uffff"


def _count_parts(sizes: Iterable[int], *, limit: int) -> int:
    """Return the number of parts. No part ends between the two units of a character.

    Args:
        sizes: the units of each character.
        limit: the units of a part.
    """
    parts, used = 1, 0
    for size in sizes:
        if used + size > limit:
            parts, used = parts + 1, 0
        used += size
    return parts


_WITHOUT_EXTENSION = {ord(char): None for char in GSM_EXTENSION}
