"""The signed ``dlr-url``: built for a message or for a whole account, and read again when Messente calls it.

The GET callback carries no signature of Messente's, so the path of the URL that we hand out is its protection
(documentation: «Delivery Report», securing the callback, asks for an unguessable URL). It stands in the path
because nobody says how Messente merges its parameters into a URL that has a query string of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from django_messente_dlr import conf

SALT = "django_messente_dlr.callbacks"
MAX_TOKEN = 200
TOKEN = re.compile(r"(?:m(?P<message>[1-9][0-9]{0,18})|a)\.(?P<account>[A-Za-z0-9_-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """What a callback URL speaks for.

    Attributes:
        account: the account whose messages it may report about.
        message_pk: the one message that it speaks for, or None for any of the account's.
    """

    account: str
    message_pk: int | None = None


def callback_url(account: str = conf.DEFAULT_ACCOUNT) -> str:
    """Return the URL to paste into Messente's dashboard as an account's default URL for delivery reports.

    Args:
        account: the account's name in ``MESSENTE_DLR``.

    Raises:
        ImproperlyConfigured: there is no such account, or no ``CALLBACK_BASE_URL``.
    """
    return _absolute(f"a.{conf.account(account).name}")


def message_callback_url(message_pk: int, account: str) -> str:
    """Return the URL that speaks for one message alone, to be sent along with it as its ``dlr-url``.

    Args:
        message_pk: the primary key of its `SmsMessage`.
        account: the account that it is sent from.

    Raises:
        ImproperlyConfigured: there is no ``CALLBACK_BASE_URL``.
    """
    return _absolute(f"m{message_pk}.{account}")


def webhook_path() -> str:
    """Return the path of the account-wide webhook for the Omnichannel API, which its signature alone protects."""
    return reverse("django_messente_dlr:webhook")


def read_token(token: str) -> Token | None:
    """Return what a token from a callback URL speaks for, or None if it was not signed by us."""
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    try:
        value = _signer().unsign(token)
    except BadSignature:
        return None
    match = TOKEN.fullmatch(value)
    if match is None:
        return None
    message_pk = match["message"]
    return Token(account=match["account"], message_pk=int(message_pk) if message_pk else None)


def _absolute(value: str) -> str:
    base = conf.current().callback_base_url
    if not base:
        raise ImproperlyConfigured(
            f"{conf.SETTING} has no CALLBACK_BASE_URL. Set it to the scheme and host under which Messente reaches "
            'this project, such as "https://shop.example.com".'
        )
    return base.rstrip("/") + reverse("django_messente_dlr:callback", kwargs={"token": _signer().sign(value)})


def _signer() -> Signer:
    own = conf.current().callback_keys
    keys: list[str | bytes] = list(own) if own else [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return Signer(key=keys[0], fallback_keys=keys[1:], sep=".", salt=SALT)
