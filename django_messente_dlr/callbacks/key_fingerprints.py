"""Create short fingerprints of the keys that verify callbacks. They show which keys are still in use.

A fingerprint distinguishes keys and reveals nothing else about them. It is an HMAC with the project's SECRET_KEY, so
that a person who sees it in the database or the admin cannot test guesses of a password against it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "django_messente_dlr.keys"
MAX_FINGERPRINT = 8


class KeyFingerprints(NamedTuple):
    """The fingerprints of the keys that verified a callback; "" for a key that was not needed.

    Attributes:
        url: the fingerprint of the key that signed the URL, one of ``CALLBACK_KEYS``.
        signature: the fingerprint of the password that signed the body.
    """

    url: str = ""
    signature: str = ""


NO_KEYS = KeyFingerprints()


def fingerprint(key: str | bytes) -> str:
    """Return the fingerprint of a key, as 8 hex digits.

    Args:
        key: a signing key or a password.
    """
    return _fingerprint(settings.SECRET_KEY, key)


def all_fingerprints(key: str | bytes) -> list[str]:
    """Return the fingerprints of a key under SECRET_KEY and under each of SECRET_KEY_FALLBACKS.

    Args:
        key: a signing key or a password.
    """
    return [_fingerprint(secret, key) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@lru_cache(maxsize=64)  # every callback needs the same few fingerprints
def _fingerprint(secret: str | bytes, key: str | bytes) -> str:
    return salted_hmac(SALT, key, secret=secret, algorithm="sha256").hexdigest()[:MAX_FINGERPRINT]
