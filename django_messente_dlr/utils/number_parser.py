"""Read a phone number as people write it, and return the one spelling that is stored: "+" and digits.

The digits of the result are exactly those that were given. A number that could be another one is refused with a
sentence that states what to write instead. With a region, the calling code replaces the prefix of a national number.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from typing import Any, NoReturn

from django.utils.functional import Promise

from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.utils import number_library
from django_messente_dlr.utils.phone_numbers import calling_code, is_assigned

EXAMPLE = "+37255500000"
# ITU-T E.164 allows 15 digits. The shortest numbers of a country have 7, such as those of Niue (+683 4xxx).
MIN_DIGITS, MAX_DIGITS = 7, 15
# A national number is taken for an international one if it begins like one. The national numbers of North America and
# India have 10 digits. Without "+", a number of that length is not accepted.
MIN_DIGITS_WITHOUT_PLUS = 11
# One dot or comma: the digits are a number that a spreadsheet has written, unless the part before it is short, as in
# "+372.55500000".
FRACTION = re.compile(r"\+?(?:[0-9]+[.,][0-9]{1,2}|[0-9]{7,}[.,]0+)")
TRUNK_PREFIX = re.compile(r"[(\[]0[)\]]")
MINUS_SIGN = "\u2212"
# The numbers of these two numbering plans have a fixed length. North American area codes do not begin with 0 or 1.
FIXED_LENGTH = {
    "+1": (re.compile(r"1[2-9][0-9]{9}"), "has 10 digits after +1, and its area code does not begin with 0 or 1"),
    "+7": (re.compile(r"7[0-9]{10}"), "has 10 digits after +7"),
}


def parse_number(to: Any, *, region: str = "") -> str:
    """Return a phone number as "+" and its digits.

    If the package ``phonenumbers`` is installed, it also checks that the number is possible in its country.

    Args:
        to: the number in international format: a text, an integer, or a PhoneNumber of the packages phonenumbers or
            django-phonenumber-field. Between the digits of a text, blanks, hyphens, dots, brackets and invisible
            format characters are removed.
        region: the country of national numbers, such as "EE"; "" refuses these. Without the package ``phonenumbers``
            it has no effect.

    Raises:
        ValueError: the value is not a phone number, or could be more than one.
    """
    text = _to_text(to)
    compact = "".join(char for char in text.strip() if not _is_blank(char))
    if FRACTION.fullmatch(compact):
        raise ValueError(
            f'"{one_line(to)}" is a number with a fraction. Pass the phone number as text, such as "{EXAMPLE}".'
        )
    if match := TRUNK_PREFIX.search(compact):
        # Not removed: numbers of Italy and some other countries keep this 0 after the calling code.
        raise ValueError(
            f'"{one_line(to)}" contains "{match[0]}", which is not dialled after a country code. Remove it, or write '
            "the number as it is dialled from another country."
        )
    digits, has_plus = _read(text, to)
    if region and not has_plus and number_library.is_installed():
        return number_library.parse_national(digits, region=region, shown=one_line(to))
    _check(digits, to, has_plus=has_plus)
    number_library.check_possible(digits, shown=one_line(to), has_plus=has_plus)
    return f"+{digits}"


def _to_text(to: Any) -> str:
    """Return the text of a value that can be a phone number."""
    if isinstance(to, str | Promise):
        return str(to)
    if to is None:
        _refuse(to, f'Pass the number as text, such as "{EXAMPLE}".')
    if hasattr(to, "country_code") and hasattr(to, "national_number"):
        return _phone_number_text(to)
    try:
        number = None if isinstance(to, bool) else operator.index(to)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(
            f"{one_line(repr(to))} is not a phone number but a {type(to).__name__}. Pass the number as text, such as "
            f'"{EXAMPLE}": other types lose digits or add some.'
        )
    # The comparison comes first, because Python does not convert an integer of thousands of digits.
    if not 0 <= number < 10**MAX_DIGITS:
        shown = number if abs(number) < 10**40 else "The integer"
        raise ValueError(
            f"{shown} is not a phone number: it is below 0 or has more than {MAX_DIGITS} digits. Pass the number as "
            f'text, such as "{EXAMPLE}".'
        )
    return str(number)


def _phone_number_text(to: Any) -> str:
    """Return the number of a PhoneNumber. Its ``str`` is a description, or depends on the project's settings."""
    if getattr(to, "extension", None):
        _refuse(to, "It has an extension, which an SMS cannot be sent to. Pass the number without it.")
    if not to.country_code or not to.national_number:
        # django-phonenumber-field keeps what it could not read.
        _refuse(getattr(to, "raw_input", None) or to, f"It was not recognised. Pass one such as {EXAMPLE}.")
    zeros = (getattr(to, "number_of_leading_zeros", None) or 1) if getattr(to, "italian_leading_zero", None) else 0
    return f"+{to.country_code}{'0' * zeros}{to.national_number}"


def _read(text: str, to: Any) -> tuple[str, bool]:
    """Return the digits of a text, and whether it begins with "+"."""
    digits, has_plus = "", False
    start = len(text) - len(text.lstrip())
    for position, char in enumerate(text.strip(), start + 1):
        if char in "0123456789":
            digits += char
        elif char == "+" and not digits and not has_plus:
            has_plus = True
        elif not (_is_blank(char) or char in "([" or (digits and _is_separator(char))):
            _refuse(to, f"{_describe(char)} at position {position} is not part of one. {_advice(char)}")
    if not digits:
        _refuse(to, f"It has no digits. Write one such as {EXAMPLE}.")
    return digits, has_plus


def _check(digits: str, to: Any, *, has_plus: bool) -> None:
    """Check what is known about all international numbers.

    Args:
        digits: the digits of the number.
        to: the value that was given.
        has_plus: whether it begins with "+".
    """
    if digits.startswith("00") and not has_plus:
        # Where the international prefix is 0011 or 010, the digits after 00 are another number's.
        _refuse(to, f'"00" is the prefix for calls to other countries in some countries only. Write "+{digits[2:]}".')
    if digits.startswith("0"):
        _refuse(
            to,
            "It begins with 0, as national numbers do. Write it as it is dialled from another country, such as "
            f"{EXAMPLE}, or set DEFAULT_REGION.",
        )
    if len(digits) > MAX_DIGITS:
        _refuse(
            to, f"It has {len(digits)} digits, and {MAX_DIGITS} are the most. Pass one number, such as {EXAMPLE}."
        )
    if len(digits) < MIN_DIGITS:
        _refuse(to, f"It has only {len(digits)} digits. Write + and the country code before the number.")
    code = calling_code(digits)
    if not is_assigned(code):
        _refuse(to, f"No country has the code {code}. Write + and the country code before the number.")
    pattern, rule = FIXED_LENGTH.get(code, (None, ""))
    if pattern and not pattern.fullmatch(digits):
        _refuse(to, f"A number with the country code {code} {rule}. Write + and the country code before the number.")
    if not has_plus and len(digits) < MIN_DIGITS_WITHOUT_PLUS:
        _refuse(
            to,
            f'Without "+", a number of less than {MIN_DIGITS_WITHOUT_PLUS} digits may be a national one. '
            f'If {code} is its country code, write "+{digits}".',
        )


def _is_blank(char: str) -> bool:
    """Return whether a character is a blank of any width, or an invisible format character."""
    return char == "\t" or unicodedata.category(char) in {"Zs", "Cf"}


def _is_separator(char: str) -> bool:
    return char in f".)]{MINUS_SIGN}" or unicodedata.category(char) == "Pd"


def _describe(char: str) -> str:
    """Return a character with its quotes, or its code if it is not visible."""
    return f"The character '{char}'" if char.isprintable() else f"The character U+{ord(char):04X}"


def _advice(char: str) -> str:
    if char.isdecimal():
        return f"Write {unicodedata.decimal(char)} instead."
    if char == "+":
        return "Write + at the beginning only, and pass one number."
    return f"Write digits after +, as in {EXAMPLE}."


def _refuse(to: Any, reason: str) -> NoReturn:
    raise ValueError(f'"{one_line(to)}" is not a phone number in international format. {reason}')
