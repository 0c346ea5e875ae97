"""The calling code of a phone number, the formats in which it may be stored, and the pseudonym of an erased number.

The ITU assigns calling codes of one, two and three digits (E.164, "List of assigned country codes"). No code is the
beginning of another, so the lists of the short codes are enough to find the code of a number.
"""

from __future__ import annotations

import secrets
import string

ONE_DIGIT = {1, 7}
TWO_DIGITS = {
    *(20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49),
    *(51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98),
}
# The ranges of three digits in which the ITU has assigned no code. The codes of networks without a country, such as
# 870 and 883, are assigned. 997 is included in these for Kazakhstan, which plans to use it.
UNASSIGNED_THREE_DIGITS = {
    *(210, 214, 215, 217, 219, 259, *range(280, 290), 292, 293, 294, 295, 296),
    *(384, 388, 422, *range(424, 430), 671, 684, *range(693, 700)),
    *(*range(801, 808), 809, *range(830, 840), 851, 854, *range(857, 860), *range(871, 878), 879),
    *(884, 885, 887, 889, *range(890, 900), 969, 978, 990, 991, 999),
}

# A pseudonym replaces an erased number. It has no digits, so that it is not taken for a number again.
PSEUDONYM_PREFIX = "erased-"
PSEUDONYM_LETTERS = 12


def new_pseudonym() -> str:
    """Return a new pseudonym. It is random, and nothing links it to the number that it replaces."""
    return PSEUDONYM_PREFIX + "".join(secrets.choice(string.ascii_lowercase) for _ in range(PSEUDONYM_LETTERS))


def is_pseudonym(number: str) -> bool:
    """Return whether a recipient is the pseudonym of an erased number."""
    return number.startswith(PSEUDONYM_PREFIX)


def calling_code(number: str) -> str:
    """Return the calling code of a number, such as "+372"; "" if it does not begin like a phone number.

    Args:
        number: a number in international format, with +, with 00 or with neither.
    """
    digits = number.removeprefix("+").removeprefix("00")
    if not (len(digits) >= 3 and digits[:3].isascii() and digits[:3].isdigit() and digits[0] != "0"):
        return ""
    if int(digits[0]) in ONE_DIGIT:
        return f"+{digits[0]}"
    return f"+{digits[:2]}" if int(digits[:2]) in TWO_DIGITS else f"+{digits[:3]}"


def with_plus(number: str) -> str:
    """Return a stored number with "+": rows that older versions or other code created may have 00, or neither.

    Args:
        number: a number in international format, or a pseudonym, which is returned unchanged.
    """
    return next(iter(spellings(number)), number)


def is_assigned(code: str) -> bool:
    """Return whether the ITU has assigned a calling code.

    Args:
        code: the calling code as `calling_code` returns it; "" is not assigned.
    """
    return bool(code) and int(code) not in UNASSIGNED_THREE_DIGITS


def spellings(number: str) -> list[str]:
    """Return the formats in which a phone number may be stored; [] if the input is not a phone number.

    A number is stored in the format that the project uses: with +, with 00 or with neither. A pseudonym has one.

    Args:
        number: the input of a user, which may contain spaces, hyphens, brackets or dots.
    """
    if is_pseudonym(number):
        return [number]
    if any(char.isalpha() for char in number):
        return []
    digits = "".join(char for char in number if char in "0123456789").removeprefix("00")
    return [f"+{digits}", digits, f"00{digits}"] if digits else []
