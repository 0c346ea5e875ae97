"""What the commands' arguments have in common."""

from __future__ import annotations

from argparse import ArgumentTypeError


def positive(value: str) -> int:
    """Return a whole number of at least 1; argparse tells what was wrong otherwise."""
    if not (value.isascii() and value.isdigit() and int(value) >= 1):
        raise ArgumentTypeError(f"«{value}» is not a whole number of at least 1.")
    return int(value)
