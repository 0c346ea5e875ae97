"""From which address a request came, and whether it may: ``CALLBACK_ALLOWED_IPS`` and ``TRUSTED_PROXY_COUNT``.

Each proxy appends to X-Forwarded-For the address that it was called from. What our own proxies wrote therefore
stands at its right end, and what stands further left was written by whoever called: it is never believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django_messente_dlr import conf

FORWARDED = "HTTP_X_FORWARDED_FOR"
Address = IPv4Address | IPv6Address


def client_ip(meta: Mapping[str, Any]) -> Address | None:
    """Return the address that a request came from, or None where it cannot be told.

    Args:
        meta: the request's ``META``.
    """
    proxies = conf.get_config().trusted_proxy_count
    if not proxies:
        return _read(str(meta.get("REMOTE_ADDR", "")))
    entries = forwarded_for(meta)
    # Fewer entries than proxies: it came past one of them, so that nothing here was written by ours.
    return _read(entries[-proxies]) if len(entries) >= proxies else None


def forwarded_for(meta: Mapping[str, Any]) -> list[str]:
    """Return the entries of X-Forwarded-For, the nearest proxy's last."""
    return [entry for entry in str(meta.get(FORWARDED, "")).split(",") if entry.strip()]


def is_allowed_ip(meta: Mapping[str, Any]) -> bool:
    """Tell whether a callback may come from where a request came from; any may where no networks are set."""
    return not conf.get_config().callback_allowed_ips or is_allowed(client_ip(meta))


def is_allowed(address: Address | None) -> bool:
    """Tell whether a callback may come from ``address``; any may where no networks are set."""
    networks = conf.get_config().callback_allowed_ips
    return not networks or (address is not None and any(address in network for network in networks))


def _read(told: str) -> Address | None:
    """Return an address, with or without a port behind it; an IPv4 address in IPv6's clothes is an IPv4 address."""
    text = told.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
