"""Where the sandbox may listen, and whom it may call: this machine, and whoever is named.

In come names, addresses and URLs; nothing is looked up, so that the answer is the same with and without a network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def loopback_address(host: str, port: int) -> tuple[str, int]:
    """Return the address to listen on.

    Args:
        host: localhost, or a loopback address.
        port: the port, or 0 for a free one.

    Raises:
        ValueError: it is not an address of this machine's own, or no port.
    """
    if not is_loopback(host):
        raise ValueError(
            f"The sandbox listens for this machine alone, not on «{host}»: use 127.0.0.1, ::1 or localhost. "
            "Whoever reaches it may try out your settings' credentials on it."
        )
    if not 0 <= port <= 65535:
        raise ValueError(f"There is no port {port}: use 1 to 65535, or 0 for a free one.")
    return ("127.0.0.1" if host.endswith("localhost") else host), port


def may_be_called(url: str, hosts: Collection[str]) -> bool:
    """Tell whether a URL leads to this machine, or to one of ``hosts``.

    A sandbox that is started with a copy of real settings must not report its inventions to the real site.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"}:
        return False
    return is_loopback(host) or host in hosts


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own, without looking anything up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
