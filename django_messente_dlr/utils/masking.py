"""Check who may see recipients and texts, and mask recipients for other users: ``+372•••••000``.

The admin and the REST API both use these functions, so that they mask the same numbers.
"""

from __future__ import annotations

import re
from typing import Any

from django_messente_dlr.utils.phone_numbers import calling_code

VIEW_RECIPIENT = "django_messente_dlr.view_recipient"
VIEW_TEXT = "django_messente_dlr.view_text"
HIDDEN = "•"
VISIBLE_DIGITS = 3
# A payload or the metadata of a project may have a number under any key, and in any format.
NUMBERS = re.compile(r"(?<![\w+])(?:\+|00)[1-9][0-9][0-9 ().-]{4,24}[0-9]", re.ASCII)


def may_see_recipients(user: Any) -> bool:
    """Return whether a user may see the full numbers of recipients."""
    return bool(user.has_perm(VIEW_RECIPIENT))


def may_see_texts(user: Any) -> bool:
    """Return whether a user may see the texts of messages."""
    return bool(user.has_perm(VIEW_TEXT))


def mask_number(number: str) -> str:
    """Return a number with only its calling code and its last three digits visible.

    Args:
        number: the number as it is stored: with +, with 00 or with neither.
    """
    plain = "".join(char for char in number if char.isdigit())
    code = calling_code(plain).removeprefix("+")
    end = max(len(number) - VISIBLE_DIGITS, 0)
    start = number.index(code) + len(code) if code and code in number else 0
    if end - start < VISIBLE_DIGITS:
        start = 0
    return f"{number[:start]}{HIDDEN * (end - start)}{number[end:]}"


def mask_in_text(text: str, number: str = "") -> str:
    """Return a text in which ``number``, and everything with the format of an international number, is masked."""
    digits = number.removeprefix("+").removeprefix("00")
    if digits:
        text = text.replace(digits, mask_number(digits))
    return NUMBERS.sub(lambda match: mask_number(match[0]), text)


def mask_in_json(value: Any, number: str = "") -> Any:
    """Return JSON in which `mask_in_text` has masked every text and every key."""
    if isinstance(value, str):
        return mask_in_text(value, number)
    if isinstance(value, dict):
        return {mask_in_text(str(key), number): mask_in_json(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_in_json(item, number) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and number and str(value) in number:
        return mask_number(str(value)) if len(str(value)) > VISIBLE_DIGITS else value
    return value
