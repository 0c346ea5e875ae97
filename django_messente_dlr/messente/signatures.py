"""Create and check ``X-Messente-Signature``, the signature over the raw body of an Omnichannel callback.

The signature is HMAC-SHA256 with the password of the API key that sent the message (documentation: "Webhook
signature"). The documentation's example is 64 lower-case hexadecimal digits. The signature covers neither a time
nor the URL, so a replayed callback has a valid signature. Storing reports under their fingerprint makes replays
harmless.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

HEADER = "X-Messente-Signature"


def sign(body: bytes, password: str) -> str:
    """Return the signature of ``body`` as 64 lower-case hexadecimal digits.

    Args:
        body: the request body, exactly as transmitted.
        password: the password of the HTTP API key that sent the message.
    """
    return hmac.new(password.encode(), body, hashlib.sha256).hexdigest()


class Signer(NamedTuple):
    """The account and the password that signed a callback.

    Attributes:
        account: the account's name.
        position: the index of the password among the account's valid passwords, from 0.
    """

    account: str
    position: int


def find_signer(body: bytes, signature: str, passwords: Mapping[str, Iterable[str]]) -> Signer | None:
    """Return the account and the password that signed ``body``, or None if the signature is invalid.

    All passwords are tried even after a match, so that the response time does not reveal which one matched. If
    several match, the first one is returned.

    Args:
        body: the request body, exactly as received.
        signature: the value of the header, which can be any text.
        passwords: the valid passwords by account. Empty passwords never match.
    """
    signer = None
    received = signature.encode("utf-8", "surrogatepass")
    for account, account_passwords in passwords.items():
        for position, password in enumerate(account_passwords):
            # With an empty password, anyone could create a valid signature.
            if password and hmac.compare_digest(sign(body, password).encode(), received) and signer is None:
                signer = Signer(account, position)
    return signer
