"""Who may see whom a message went to, and what the others see instead: ``+372•••••000``.

The admin and the REST API ask here, so that a number that one of them masks does not slip out of the other.
"""

from __future__ import annotations

import re
from typing import Any

from django_messente_dlr.utils.phone_numbers import calling_code

VIEW_RECIPIENT = "django_messente_dlr.view_recipient"
VIEW_TEXT = "django_messente_dlr.view_text"
HIDDEN = "•"
SHOWN_AT_THE_END = 3
# A payload or a project's metadata may have the number under any name, and in any spelling.
NUMBERS = re.compile(r"(?<![\w+])(?:\+|00)[1-9][0-9][0-9 ().-]{4,24}[0-9]", re.ASCII)


def may_see_recipients(user: Any) -> bool:
    """Tell whether a user may see recipients' numbers in full."""
    return bool(user.has_perm(VIEW_RECIPIENT))


def may_see_texts(user: Any) -> bool:
    """Tell whether a user may see what messages say."""
    return bool(user.has_perm(VIEW_TEXT))


def mask_number(number: str) -> str:
    """Return a number of which the country and the last three digits are left.

    Args:
        number: as it is stored: with +, with 00 or with neither.
    """
    plain = "".join(char for char in number if char.isdigit())
    code = calling_code(plain).removeprefix("+")
    end = max(len(number) - SHOWN_AT_THE_END, 0)
    start = number.index(code) + len(code) if code and code in number else 0
    if end - start < SHOWN_AT_THE_END:
        start = 0
    return f"{number[:start]}{HIDDEN * (end - start)}{number[end:]}"


def mask_in_text(text: str, number: str = "") -> str:
    """Return a text in which ``number``, and whatever else is written like a number abroad, is masked."""
    digits = number.removeprefix("+").removeprefix("00")
    if digits:
        text = text.replace(digits, mask_number(digits))
    return NUMBERS.sub(lambda found: mask_number(found[0]), text)


def mask_in_json(value: Any, number: str = "") -> Any:
    """Return JSON in which every text, and every name of a value, is masked as `mask_in_text` does."""
    if isinstance(value, str):
        return mask_in_text(value, number)
    if isinstance(value, dict):
        return {mask_in_text(str(key), number): mask_in_json(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_in_json(item, number) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and number and str(value) in number:
        return mask_number(str(value)) if len(str(value)) > SHOWN_AT_THE_END else value
    return value
