"""Short fingerprints of the keys that verify callbacks, so that a person can see which of them is still in use.

A fingerprint tells two keys apart and nothing more: it is made with the project's SECRET_KEY, so that who reads it
in a database or an admin page cannot try out passwords on it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "django_messente_dlr.keys"
MAX_FINGERPRINT = 8


class KeyFingerprints(NamedTuple):
    """By which keys a callback was verified, each by its fingerprint; "" where it needed none.

    Attributes:
        url: the key that signed its URL, one of ``CALLBACK_KEYS``.
        signature: the password that signed its body.
    """

    url: str = ""
    signature: str = ""


NO_KEYS = KeyFingerprints()


def fingerprint(key: str | bytes) -> str:
    """Return what stands for ``key`` wherever it is shown, as 8 hex digits."""
    return _made_with(settings.SECRET_KEY, key)


def all_fingerprints(key: str | bytes) -> list[str]:
    """Return what has stood for ``key``, now and under the SECRET_KEYs before, as far as those are still known."""
    return [_made_with(secret, key) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@lru_cache(maxsize=64)  # every callback asks for the same few
def _made_with(secret: str | bytes, key: str | bytes) -> str:
    return salted_hmac(SALT, key, secret=secret, algorithm="sha256").hexdigest()[:MAX_FINGERPRINT]
