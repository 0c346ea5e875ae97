"""Types for the arguments of the commands. Each raises ArgumentTypeError, which argparse reports with the option."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError

from django_messente_dlr.utils.phone_numbers import spellings

MAX_DAYS = 36525
# Without + or 00, a national number could be taken for an international one.
INTERNATIONAL = re.compile(r"(?:\+|00)[1-9][0-9]{3,19}|[1-9][0-9]{9,19}", re.ASCII)


def positive(value: str) -> int:
    """Return a whole number of at least 1."""
    if not (value.isascii() and value.isdigit() and int(value) >= 1):
        raise ArgumentTypeError(f"'{value}' is not a whole number of at least 1.")
    return int(value)


def days(value: str) -> int:
    """Return a number of days, at least 1 and at most a hundred years: dates before the year 1 do not exist."""
    number = positive(value)
    if number > MAX_DAYS:
        raise ArgumentTypeError(f"'{value}' days are more than a hundred years.")
    return number


def phone_number(value: str) -> str:
    """Return a phone number in international format, with +. It may be written with separators."""
    plain = re.sub(r"[\W_]+", "", value)
    prefix = "+" if value.strip().startswith("+") else ""
    if "(0)" in value or not (spellings(value) and INTERNATIONAL.fullmatch(prefix + plain)):
        raise ArgumentTypeError(f"'{value}' is not a phone number in international format, such as +37255500000.")
    return spellings(value)[0]


def above_zero(value: str) -> float:
    """Return a finite number above 0, such as a number of seconds."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"'{value}' is not a number above 0.")
    return number
