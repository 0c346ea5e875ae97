"""Determine a request's IP address and check it, with ``TRUSTED_PROXY_COUNT`` and ``CALLBACK_ALLOWED_IPS``.

Each proxy appends the address of its client to X-Forwarded-For. The trusted proxies therefore write the entries at
the right end. The client can write any entry to the left of these, so those entries are never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django_messente_dlr import conf

FORWARDED = "HTTP_X_FORWARDED_FOR"
Address = IPv4Address | IPv6Address


def client_ip(meta: Mapping[str, Any]) -> Address | None:
    """Return a request's IP address, or None if it cannot be determined.

    Args:
        meta: the request's ``META``.
    """
    proxies = conf.get_config().trusted_proxy_count
    if not proxies:
        return _parse_address(str(meta.get("REMOTE_ADDR", "")))
    entries = forwarded_for(meta)
    # With fewer entries than proxies the request bypassed a trusted proxy, and the client may have written them all.
    return _parse_address(entries[-proxies]) if len(entries) >= proxies else None


def forwarded_for(meta: Mapping[str, Any]) -> list[str]:
    """Return the entries of X-Forwarded-For. The entry of the nearest proxy is the last.

    Args:
        meta: the request's ``META``.
    """
    return [entry for entry in str(meta.get(FORWARDED, "")).split(",") if entry.strip()]


def is_allowed_ip(meta: Mapping[str, Any]) -> bool:
    """Return whether a callback may come from a request's IP address. Without configured networks any may.

    Args:
        meta: the request's ``META``.
    """
    return not conf.get_config().callback_allowed_ips or is_allowed(client_ip(meta))


def is_allowed(address: Address | None) -> bool:
    """Return whether a callback may come from an IP address. Without configured networks any may.

    Args:
        address: the address, or None if it is unknown.
    """
    networks = conf.get_config().callback_allowed_ips
    return not networks or (address is not None and any(address in network for network in networks))


def _parse_address(value: str) -> Address | None:
    """Return the address of a string with an optional port, or None. An IPv4-mapped IPv6 address becomes IPv4."""
    text = value.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
