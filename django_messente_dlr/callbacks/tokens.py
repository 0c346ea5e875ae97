"""The signed ``dlr-url``: built for a message or for a whole account, and read again when Messente calls it.

The GET callback carries no signature of Messente's, so the path of the URL that we hand out is its protection
(documentation: «Delivery Report», securing the callback, asks for an unguessable URL). It stands in the path
because nobody says how Messente merges its parameters into a URL that has a query string of its own.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, Signer
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from django_messente_dlr import conf
from django_messente_dlr.callbacks import key_fingerprints

SALT = "django_messente_dlr.callbacks"
MAX_TOKEN = 200
PROBE_SALT = f"{SALT}.probe"
TOKEN = re.compile(
    r"(?:m(?P<message>[1-9][0-9]{0,18})|a)\.(?P<account>[A-Za-z0-9_-]{1,64})|p\.(?P<probe>[0-9a-f]{32})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class CallbackToken:
    """What a callback URL speaks for.

    Attributes:
        account: the account whose messages it may report about.
        message_pk: the one message that it speaks for, or None for any of the account's.
        key: the fingerprint of the key that signed it.
    """

    account: str
    message_pk: int | None = None
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ProbeToken:
    """What a probe URL speaks for: nothing. It only asks whether the callback view is to be reached.

    Attributes:
        nonce: makes each probe its own, so that no cache can answer it.
    """

    nonce: str


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
        ValueError: its row is not saved yet.
    """
    if not message_pk:
        raise ValueError("The message has no primary key, which its callback URL names. Save it first.")
    return _absolute(f"m{message_pk}.{account}")


def webhook_path() -> str:
    """Return the path of the account-wide webhook for the Omnichannel API, which its signature alone protects."""
    return _path("webhook")


def probe_url() -> tuple[str, ProbeToken]:
    """Return a URL that the callback view answers without storing anything, and the probe that it carries.

    Raises:
        ImproperlyConfigured: there is no ``CALLBACK_BASE_URL``.
    """
    probe = ProbeToken(secrets.token_hex(16))
    return _absolute(f"p.{probe.nonce}"), probe


def sign_probe(probe: ProbeToken) -> str:
    """Return what only a site with our keys can answer to a probe."""
    return _signers(PROBE_SALT)[0].sign(probe.nonce)


def check_probe(proof: str, probe: ProbeToken) -> bool:
    """Tell whether an answer to a probe was made with one of our keys."""
    return len(proof) <= MAX_TOKEN and any(_unsigned(signer, proof) == probe.nonce for signer in _signers(PROBE_SALT))


def read_token(token: str) -> CallbackToken | ProbeToken | None:
    """Return what a token from a callback URL speaks for, or None if it was not signed by us."""
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    for signer in _signers(SALT):
        if (value := _unsigned(signer, token)) is not None:
            break
    else:
        return None
    match = TOKEN.fullmatch(value)
    if match is None:
        return None
    if match["probe"]:
        return ProbeToken(match["probe"])
    message_pk = int(match["message"]) if match["message"] else None
    return CallbackToken(
        account=match["account"], message_pk=message_pk, key=key_fingerprints.fingerprint(signer.key)
    )


def signing_keys() -> tuple[str | bytes, ...]:
    """Return the keys of callback URLs: the first signs, all verify."""
    return conf.get_config().callback_keys or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _absolute(value: str) -> str:
    base = conf.get_config().callback_base_url
    if not base:
        raise ImproperlyConfigured(
            f"{conf.SETTING} has no CALLBACK_BASE_URL. Set it to the scheme and host under which Messente reaches "
            'this project, such as "https://shop.example.com".'
        )
    return base.rstrip("/") + _path("callback", token=_signers(SALT)[0].sign(value))


def _path(name: str, **kwargs: str) -> str:
    """Return the path of a view within the project, the same in every process and for everybody.

    Whoever sends may be a web process that is served under a prefix (``SCRIPT_NAME``) or a task that knows of none,
    and speaks some language, which ``i18n_patterns`` puts into its URLs; a middleware may have given its request URLs
    of its own (``request.urlconf``), without ours. What stands before the path, ``CALLBACK_BASE_URL`` says alone.
    """
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        with translation.override(_language()):
            return reverse(f"django_messente_dlr:{name}", urlconf=settings.ROOT_URLCONF, kwargs=kwargs)
    finally:
        set_script_prefix(prefix)


def _language() -> str:
    """Return the project's language as LocaleMiddleware reads it from a path: «en» for ``startproject``'s «en-us»."""
    try:
        return translation.get_supported_language_variant(settings.LANGUAGE_CODE)
    except LookupError:  # it is not in LANGUAGES, which Django's own checks tell
        return settings.LANGUAGE_CODE


def _signers(salt: str) -> list[Signer]:
    """Return a signer for each live key: Django's own fallbacks do not tell which of them has matched."""
    return _signers_with(salt, signing_keys())


@lru_cache(maxsize=8)  # every callback needs the same
def _signers_with(salt: str, live: tuple[str | bytes, ...]) -> list[Signer]:
    return [Signer(key=key, fallback_keys=[], sep=".", salt=salt) for key in live]


def _unsigned(signer: Signer, signed: str) -> str | None:
    try:
        return signer.unsign(signed)
    except BadSignature:
        return None
