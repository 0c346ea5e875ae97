"""Find phone numbers in texts and in JSON: one number in any spelling, or everything that looks like a number.

A known number is found with any separators between its digits, with +, with an exit code or with neither, and as the
national part with or without its trunk zero. Without a known number, each run of at least `MIN_DIGITS` digits counts,
with the separators that people use. UUIDs, ISO dates and times, IPv4 addresses, Messente's response codes, runs that
touch a letter and runs of more than 20 digits do not count: they are no phone numbers. These functions are pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django_messente_dlr.utils.phone_numbers import calling_code

MIN_DIGITS = 7
# A shorter national part would match years, amounts and error codes.
MIN_NATIONAL = 5
PLUS = r"[+\uff0b]"
# Between the digits of a known number: anything but letters and digits.
ANY_GAP = r"[\W_]{0,5}"
# Between the digits of an unknown number: spaces of any width, dashes, dots, slashes and brackets.
SPACES, DASHES = r" \t\u00a0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff", r"\u00ad\u2010-\u2015\u2212_-"
GAP = rf"[./()\[\]\u00b7\u2044{SPACES}{DASHES}]{{0,3}}"
DATE = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
TIME = r"[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?Z?"
OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
CODE = r"(?:ERROR|FAILED) \d{3}"  # Messente's response codes
NOT_A_NUMBER = rf"{CODE}|{UUID}|{DATE}(?:{TIME})?|{OCTET}(?:\.{OCTET}){{3}}(?!\.?\d)|\d{{21,}}"
BEFORE, AFTER = r"(?<![^\W_])", r"(?![^\W_])"  # not next to a letter or a digit
LOOKS_LIKE_A_NUMBER = re.compile(
    rf"{BEFORE}(?:(?P<other>{NOT_A_NUMBER})|(?P<prefix>(?:{PLUS}|00){GAP}(?=[1-9]))?\d(?:{GAP}\d){{6,}}){AFTER}"
)
NON_DIGITS = re.compile(r"[^0-9]+")

# Takes the text that was found, and its part with the prefix and the calling code, which may be "".
Replacement = Callable[[str, str], str]


def replace_number(text: str, number: str, replacement: Replacement, *, min_national: int = MIN_NATIONAL) -> str:
    """Return a text in which each spelling of a number is replaced.

    Args:
        text: the text.
        number: the number in international format, with +, with 00 or with neither.
        replacement: returns the new text.
        min_national: the least number of digits of a national part that is found without its calling code.
    """
    plain = _with_ascii_digits(text)
    pattern, required_digits = _pattern(number, min_national)
    # Most texts do not contain the number: this finds out faster than the pattern.
    if not required_digits or required_digits not in NON_DIGITS.sub("", plain):
        return text
    return _substitute(
        pattern, plain, text, lambda match, spelling: replacement(spelling, spelling[: len(match["code"] or "")])
    )


def replace_numbers(text: str, replacement: Replacement, *, international_only: bool = False) -> str:
    """Return a text in which everything is replaced that looks like a phone number.

    Args:
        text: the text.
        replacement: returns the new text.
        international_only: whether to replace only numbers with + or 00.
    """

    def replace(match: re.Match[str], spelling: str) -> str:
        if match["other"] or (international_only and not match["prefix"]):
            return spelling
        digits = NON_DIGITS.sub("", match[0].removeprefix(match["prefix"] or ""))
        code = calling_code(digits).removeprefix("+") if match["prefix"] else ""
        start = match[0].find(code, len(match["prefix"] or "")) if code else -1
        return replacement(spelling, spelling[: start + len(code)] if start >= 0 else "")

    return _substitute(LOOKS_LIKE_A_NUMBER, _with_ascii_digits(text), text, replace)


def contains_number(value: Any) -> bool:
    """Return whether JSON contains something that looks like a phone number."""
    return bool(map_texts(value, lambda text: replace_numbers(text, lambda spelling, code: "")) != value)


def map_texts(value: Any, function: Callable[[str], str]) -> Any:
    """Return JSON in which a function has replaced each text and key. A number that it changes becomes a text."""
    if isinstance(value, str):
        return function(value)
    if isinstance(value, dict):
        return {function(str(key)): map_texts(item, function) for key, item in value.items()}
    if isinstance(value, list):
        return [map_texts(item, function) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        replaced = function(text)
        return value if replaced == text else replaced
    return value


@lru_cache(maxsize=64)
def _pattern(number: str, min_national: int) -> tuple[re.Pattern[str], str]:
    """Return the pattern of a number, and the digits that a text with a match contains."""
    digits = NON_DIGITS.sub("", number).removeprefix("00")
    code = calling_code(digits).removeprefix("+")
    # Italian numbers keep their zero after the calling code, others omit it; people write both.
    national = digits.removeprefix(code).lstrip("0")
    spaced = rf"(?:0{ANY_GAP})*{ANY_GAP.join(national)}"
    prefix = rf"(?:{PLUS}{ANY_GAP}|(?:00|011|810){ANY_GAP})?"
    alternatives = [rf"(?P<code>{prefix}{ANY_GAP.join(code)}){ANY_GAP}{spaced}"]
    if len(national) >= min_national:
        alternatives.append(spaced)
    pattern = re.compile(rf"(?:(?<!\d)|(?<=%20))(?:{'|'.join(alternatives)})(?!\d)", re.ASCII)
    return pattern, national


def _with_ascii_digits(text: str) -> str:
    """Return a text of the same length in which the digits of all scripts are ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def _substitute(pattern: re.Pattern[str], plain: str, text: str, replace: Callable[[re.Match[str], str], str]) -> str:
    """Return a text with the matches in its plain form replaced. Both forms have the same length."""
    parts, end = [], 0
    for match in pattern.finditer(plain):
        parts += [text[end : match.start()], replace(match, text[match.start() : match.end()])]
        end = match.end()
    return "".join([*parts, text[end:]])
