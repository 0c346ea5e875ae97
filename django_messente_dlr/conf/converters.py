"""Convert the values of ``MESSENTE_DLR``, one function for each type.

Each function takes a key and the value in the project's settings. It returns the converted value, or raises
ImproperlyConfigured. The message names the key and never contains the value, which may be a misplaced secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

SETTING = "MESSENTE_DLR"
SEND_APIS = ("omnichannel", "sms")
Network = IPv4Network | IPv6Network
SEPARATORS = re.compile(r"[\s().+-]+")
FULL_NUMBER = re.compile(r"[1-9][0-9]{3,14}", re.ASCII)
RECIPIENT = re.compile(r"[1-9][0-9]{3,14}|[1-9][0-9]{0,14}\*", re.ASCII)


def to_bool(key: str, value: Any) -> bool:
    """Return True or False. Other values, such as 1 or "False", are invalid."""
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be True or False.")
    return value


def to_number(key: str, value: Any, *, integer: bool, allow_zero: bool) -> Any:
    """Return a finite number above zero, or zero if it is allowed.

    Args:
        key: the key.
        value: the value in the settings.
        integer: whether the number must be an int.
        allow_zero: whether zero is valid.
    """
    description = "a whole number" if integer else "a number"
    if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be {description}.")
    if not 0 <= value < math.inf or not (value or allow_zero):  # both comparisons with NaN are false
        limit = "of 0 or more" if allow_zero else "above 0"
        raise ImproperlyConfigured(f"{SETTING}: {key} must be {description} {limit}.")
    return value


def to_amount(key: str, value: Any) -> Decimal:
    """Return an amount of money of 0 or more as a Decimal."""
    if not isinstance(value, Decimal):
        return Decimal(str(to_number(key, value, integer=False, allow_zero=True)))
    if not value.is_finite() or value < 0:
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a number of 0 or more.")
    return value


def to_str(key: str, value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a string.")
    return value


def to_nonempty_str(key: str, value: Any) -> str:
    """Return a string that is not empty."""
    if not to_str(key, value):
        raise ImproperlyConfigured(f"{SETTING}: {key} is empty. Remove it, or give it a value.")
    return str(value)


def to_choice(key: str, value: Any, *, choices: Sequence[str]) -> str:
    """Return one of the strings in ``choices``."""
    if value not in choices:
        raise ImproperlyConfigured(f"{SETTING}: {key} must be {' or '.join(f'{name!r}' for name in choices)}.")
    return str(value)


def to_dotted_path(key: str, value: Any) -> str:
    """Return the dotted path of a class or a function. It is imported when it is first used."""
    path = to_str(key, value)
    if "." not in path or not all(part.isidentifier() for part in path.split(".")):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a dotted path, such as 'shop.sms.Backend'.")
    return path


def to_recipients(key: str, value: Any) -> tuple[str, ...]:
    """Return numbers as digits, and prefixes as digits that end with "*". An empty list allows no number."""
    with suppress(ImproperlyConfigured):  # the error below has an example
        patterns = tuple(SEPARATORS.sub("", entry) for entry in to_str_list(key, value))
        if all(RECIPIENT.fullmatch(pattern) for pattern in patterns):
            return patterns
    raise ImproperlyConfigured(
        f"{SETTING}: {key} must be a list of phone numbers in international format, such as '+37255500000', and of "
        "prefixes that end with *, such as '+372555*'."
    )


def to_recipient(key: str, value: Any) -> str:
    """Return one number in international format, or ""."""
    if isinstance(value, str):
        digits = SEPARATORS.sub("", value)
        if not digits or FULL_NUMBER.fullmatch(digits):
            return digits and f"+{digits}"
    raise ImproperlyConfigured(f"{SETTING}: {key} must be one phone number, such as '+37255500000'.")


def to_optional_dotted_path(key: str, value: Any) -> str:
    """Return a dotted path, or ""."""
    return to_dotted_path(key, value) if value != "" else ""


def to_region(key: str, value: Any) -> str:
    """Return the code of a country (ISO 3166-1 alpha-2) in upper case, or ""."""
    region = to_str(key, value).upper()
    if region and not (len(region) == 2 and region.isascii() and region.isalpha()):
        raise ImproperlyConfigured(f'{SETTING}: {key} must be the code of a country in two letters, such as "EE".')
    return region


def to_str_list(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of strings as a tuple."""
    # A string is iterable, too: without this check its letters would become keys, hosts or passwords.
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a list of strings.")
    return tuple(value)


def to_nonempty_str_list(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of strings, each of them not empty."""
    strings = to_str_list(key, value)
    if "" in strings:
        raise ImproperlyConfigured(f"{SETTING}: {key} has an empty string. Remove it, or give it a value.")
    return strings


def to_networks(key: str, value: Any) -> tuple[Network, ...]:
    """Return a list of IP networks; a single address is a network of one address."""
    strings = to_nonempty_str_list(key, value)
    with suppress(ValueError):
        return tuple(ip_network(string) for string in strings)
    # The ValueError contains the value. Raise outside its except block, so that it is not chained to this exception.
    raise ImproperlyConfigured(
        f"{SETTING}: {key} must be a list of IP addresses and networks, such as 192.0.2.7 or 192.0.2.0/24; a network "
        "has no bits set after its prefix."
    )


def to_url(key: str, value: Any) -> str:
    """Return the URL of an API, or "". Error messages contain the URL, so a user name or a password is invalid."""
    url = to_str(key, value)
    with suppress(ValueError):
        parts = urlsplit(url)
        if not url or (parts.scheme in {"http", "https"} and parts.hostname and parts.username is None):
            return url
    raise ImproperlyConfigured(f"{SETTING}: {key} must be http or https with a host, and without a user name.")


def to_urls(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of URLs of APIs."""
    return tuple(to_url(key, item) for item in to_nonempty_str_list(key, value))
