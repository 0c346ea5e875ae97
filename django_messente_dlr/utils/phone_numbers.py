"""Phone numbers: which country one goes to, by its calling code, and in which ways it may be written. Pure.

The ITU gives codes of one, two and three digits (E.164, «List of assigned country codes»); no code begins with
another, so the short ones are all that needs to be known.
"""

from __future__ import annotations

ONE_DIGIT = {1, 7}
TWO_DIGITS = {
    *(20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49),
    *(51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98),
}


def calling_code(number: str) -> str:
    """Return the prefix of the country that a number goes to; "" for what does not begin like a number.

    Args:
        number: in international format, with +, with 00 or with neither.
    """
    digits = number.removeprefix("+").removeprefix("00")
    if not (len(digits) >= 3 and digits[:3].isascii() and digits[:3].isdigit() and digits[0] != "0"):
        return ""
    if int(digits[0]) in ONE_DIGIT:
        return f"+{digits[0]}"
    return f"+{digits[:2]}" if int(digits[:2]) in TWO_DIGITS else f"+{digits[:3]}"


def spellings(number: str) -> list[str]:
    """Return the ways in which a phone number may stand in the table; [] for what is no phone number.

    The number is kept as the project gave it: with +, with 00 or with neither.

    Args:
        number: as a person typed or pasted it, with spaces, hyphens, brackets or dots.
    """
    if any(char.isalpha() for char in number):
        return []
    digits = "".join(char for char in number if char in "0123456789").removeprefix("00")
    return [f"+{digits}", digits, f"00{digits}"] if digits else []
