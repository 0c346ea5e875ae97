"""The addresses on which the sandbox may listen, and the hosts to which it may send callbacks.

Only this machine is allowed by default. No function resolves a name, so the results do not depend on the network.
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
        ValueError: the host is not a loopback address, or the port does not exist.
    """
    if not is_loopback(host):
        raise ValueError(
            f'The sandbox listens on loopback addresses only, not on "{host}". Use 127.0.0.1, ::1 or localhost. '
            "Any client that reaches it could try your settings' credentials on it."
        )
    if not 0 <= port <= 65535:
        raise ValueError(f"Port {port} does not exist. Use 1 to 65535, or 0 for a free port.")
    return ("127.0.0.1" if host.endswith("localhost") else host), port


def may_be_called(url: str, hosts: Collection[str]) -> bool:
    """Return whether a callback may be sent to ``url``: its host is this machine or in ``hosts``.

    A sandbox that is started with a copy of production settings must not report invented statuses to production.
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
    """Return whether a name or an address belongs to this machine, without resolving the name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
