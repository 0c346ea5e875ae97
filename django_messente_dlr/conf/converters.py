"""What a value of ``MESSENTE_DLR`` must be, one reader for each kind.

In comes what the project wrote under a key; out comes a value of the kind, or ImproperlyConfigured, whose message
names the key alone and never the value: that may be a secret in the wrong place.
"""

from __future__ import annotations

import math
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

SETTING = "MESSENTE_DLR"
Network = IPv4Network | IPv6Network


def to_bool(key: str, value: Any) -> bool:
    """Return True or False, and nothing that only counts as either."""
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be True or False.")
    return value


def number(key: str, value: Any, *, whole: bool, or_zero: bool) -> Any:
    """Return a finite number above zero, or from zero on.

    Args:
        key: its key.
        value: what was written.
        whole: whether it must be an int.
        or_zero: whether zero is one of them.
    """
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be {kind}.")
    if not 0 <= value < math.inf or not (value or or_zero):  # NaN is neither
        raise ImproperlyConfigured(f"{SETTING}: {key} must be {kind} {'of 0 or more' if or_zero else 'above 0'}.")
    return value


def text(key: str, value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a string.")
    return value


def to_str_list(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of strings."""
    # A bare string is iterable too: its letters would silently become keys, hosts or passwords.
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ImproperlyConfigured(f"{SETTING}: {key} must be a list of strings.")
    return tuple(value)


def to_nonempty_str_list(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of strings none of which is empty."""
    told = to_str_list(key, value)
    if "" in told:
        raise ImproperlyConfigured(f"{SETTING}: {key} has an empty string. Take it out, or fill it.")
    return told


def networks(key: str, value: Any) -> tuple[Network, ...]:
    """Return a list of IP networks; a single address is a network of one."""
    told = to_nonempty_str_list(key, value)
    with suppress(ValueError):
        return tuple(ip_network(item) for item in told)
    # Out here, where nothing is chained: the ValueError quotes what was written.
    raise ImproperlyConfigured(
        f"{SETTING}: {key} must be a list of IP addresses and networks, such as 192.0.2.7 or 192.0.2.0/24; a network "
        "has no bits set behind its prefix."
    )


def url(key: str, value: Any) -> str:
    """Return the URL of an API, or "". It stands in errors, so it must not hold a user name and a password."""
    told = text(key, value)
    with suppress(ValueError):
        parts = urlsplit(told)
        if not told or (parts.scheme in {"http", "https"} and parts.hostname and parts.username is None):
            return told
    raise ImproperlyConfigured(f"{SETTING}: {key} must be http or https with a host, and without a user name.")


def urls(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of URLs of APIs."""
    return tuple(url(key, item) for item in to_nonempty_str_list(key, value))
