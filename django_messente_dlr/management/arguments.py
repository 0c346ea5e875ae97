"""Types for the arguments of the commands. Each raises ArgumentTypeError, which argparse reports with the option."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError

MAX_DAYS = 36525


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


def above_zero(value: str) -> float:
    """Return a finite number above 0, such as a number of seconds."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"'{value}' is not a number above 0.")
    return number
