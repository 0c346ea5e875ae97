"""Which country a number goes to, by its calling code. Pure: a number goes in, a prefix such as ``+372`` comes out.

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
