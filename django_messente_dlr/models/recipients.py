"""Read a recipient's number with the project's ``DEFAULT_REGION``, and find the rows of a number in any spelling."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django_messente_dlr import conf
from django_messente_dlr.utils.number_parser import parse_number
from django_messente_dlr.utils.phone_numbers import spellings


def recipient_number(to: Any) -> str:
    """Return the one spelling in which a number is stored: "+" and its digits.

    Args:
        to: the number, as `parse_number` reads it.

    Raises:
        ValueError: the value is not a phone number, or could be more than one.
    """
    return parse_number(to, region=conf.get_config().default_region)


def recipient_spellings(number: str) -> list[str]:
    """Return the spellings in which a number may be stored; [] if the input is not a phone number.

    Rows that other code or an older version has created may have numbers with 00, or without "+".

    Args:
        number: the input of a user: a number in international format, or a national one of ``DEFAULT_REGION``.
    """
    found = spellings(number)
    if found and conf.get_config().default_region:
        with suppress(ValueError):
            found += [spelling for spelling in spellings(recipient_number(number)) if spelling not in found]
    return found
