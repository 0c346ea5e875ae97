"""Which numbers may get messages: the numbers and prefixes of ``ALLOWED_RECIPIENTS``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django_messente_dlr.messente.errors import RecipientForbidden

SEPARATORS = re.compile(r"[\s().+-]+")
# One number: two of them in one text would begin with an allowed prefix.
NUMBER = re.compile(r"[1-9][0-9]{3,14}", re.ASCII)


def is_allowed(recipient: str, patterns: Iterable[str]) -> bool:
    """Return whether a text is one number that matches one of some patterns.

    Args:
        recipient: the number.
        patterns: numbers as digits, and prefixes as digits that end with "*".
    """
    digits = SEPARATORS.sub("", recipient)
    return NUMBER.fullmatch(digits) is not None and any(
        digits.startswith(pattern[:-1]) if pattern.endswith("*") else digits == pattern for pattern in patterns
    )


def require_allowed(recipient: str, patterns: Iterable[str] | None) -> None:
    """Check that a number may get messages.

    Args:
        recipient: the number.
        patterns: numbers as digits, and prefixes as digits that end with "*"; None allows every number.

    Raises:
        RecipientForbidden: no pattern matches the number.
    """
    if patterns is not None and not is_allowed(recipient, patterns):
        raise RecipientForbidden(
            "The recipient is not in ALLOWED_RECIPIENTS, so nothing was sent. Add the number or its prefix to the "
            "setting, or set OVERRIDE_RECIPIENT to get the messages on a phone of your own."
        )
