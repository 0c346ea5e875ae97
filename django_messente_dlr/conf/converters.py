"""Convert the values of ``MESSENTE_DLR``, one function for each type.

Each function takes a key and the value in the project's settings. It returns the converted value, or raises
ImproperlyConfigured. The message names the key and never contains the value, which may be a misplaced secret.
"""

from __future__ import annotations

import math
from contextlib import suppress
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

SETTING = "MESSENTE_DLR"
Network = IPv4Network | IPv6Network


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
