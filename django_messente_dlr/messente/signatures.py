"""``X-Messente-Signature``: made and checked over the raw body of an Omnichannel callback.

Messente's documentation («Webhook signature») gives HMAC-SHA256 with the password of the API key that sent the
message; its example is lower-case hex of 64 characters. The signature covers neither a time nor the URL, so a
replayed callback verifies again: the ledger makes that harmless.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

HEADER = "X-Messente-Signature"


def sign(body: bytes, password: str) -> str:
    """Return the signature that Messente sends with ``body``, as 64 lower-case hex digits.

    Args:
        body: the request body, byte for byte as it goes over the wire.
        password: the password of the HTTP API key that sent the message.
    """
    return hmac.new(password.encode(), body, hashlib.sha256).hexdigest()


class Signer(NamedTuple):
    """Who signed a callback.

    Attributes:
        account: the account's name.
        position: which of its live passwords it was, counted from 0.
    """

    account: str
    position: int


def find_signer(body: bytes, signature: str, passwords: Mapping[str, Iterable[str]]) -> Signer | None:
    """Return the account whose password signed ``body``, and which of its passwords did; None if none did.

    Every password is tried, whether or not one has matched, so that the time tells nothing about which did.

    Args:
        body: the request body, byte for byte as it came.
        signature: what the header said; anything at all.
        passwords: the live passwords by account; empty ones never match.
    """
    found = None
    told = signature.encode("utf-8", "surrogatepass")
    for account, live in passwords.items():
        for position, password in enumerate(live):
            # A key that is empty would let everybody sign.
            if password and hmac.compare_digest(sign(body, password).encode(), told) and found is None:
                found = Signer(account, position)
    return found
