"""What the commands' arguments have in common."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError


def positive(value: str) -> int:
    """Return a whole number of at least 1; argparse tells what was wrong otherwise."""
    if not (value.isascii() and value.isdigit() and int(value) >= 1):
        raise ArgumentTypeError(f"«{value}» is not a whole number of at least 1.")
    return int(value)


def above_zero(value: str) -> float:
    """Return a number above 0, such as of seconds; argparse tells what was wrong otherwise."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"«{value}» is not a number above 0.")
    return number
