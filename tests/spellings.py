"""The spellings of a phone number that people and systems write, and a search for the number in any of them."""

from __future__ import annotations

import re
import unicodedata

CODE, NATIONAL = "372", "55512345"
NUMBER = f"+{CODE}{NATIONAL}"
SPELLINGS = [
    "+37255512345",
    "0037255512345",
    "01137255512345",
    "37255512345",
    "55512345",
    "055512345",
    "372 555 12345",
    "+372 5551 2345",
    "372-5551-2345",
    "+372\u00a0555\u00a012345",
    "372\u00a055512345",
    "+372\u2009555\u202f12345",
    "5551\u200b2345",
    "372\u20115551\u20112345",
    "372.5551.2345",
    "372/5551/2345",
    "(372) 555-12345",
    "+372 (0) 555 12345",
    "+372 (555) 12345",
    "0 555 12345",
    "555_12345",
    "5 5 5 1 2 3 4 5",
    "\uff0b\uff13\uff17\uff12 555 12345",
    "٣٧٢٥٥٥١٢٣٤٥",
]


def contains_the_number(text: str) -> bool:
    """Return whether a text contains the national part of the number, whatever is written between its digits."""
    plain = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in plain)
    return NATIONAL in re.sub(r"[\W_]|\\u[0-9a-f]{4}", "", digits)
