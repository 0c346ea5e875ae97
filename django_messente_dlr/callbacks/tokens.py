"""Create the signed callback URL (``dlr-url``) of a message or an account, and verify the token of a called URL.

Messente does not sign GET callbacks. The signed token in the URL protects them instead (documentation: "Delivery
Report", securing the callback, requires an unguessable URL). The token is in the path and not in the query string,
because the documentation does not state how Messente adds its parameters to an existing query string.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, Signer

from django_messente_dlr import conf
from django_messente_dlr.callbacks import key_fingerprints, paths
from django_messente_dlr.callbacks.message_keys import ENCODED_KEY, MessageKey

SALT = "django_messente_dlr.callbacks"
MAX_TOKEN = 200
PROBE_SALT = f"{SALT}.probe"
TOKEN = re.compile(
    rf"(?:m(?P<message>{ENCODED_KEY})|a)\.(?P<account>[A-Za-z0-9_-]{{1,64}})|p\.(?P<probe>[0-9a-f]{{32}})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class CallbackToken:
    """The verified content of a callback URL's token.

    Attributes:
        account: the name of the account. The URL accepts only reports of its messages.
        message_key: the only message whose reports the URL accepts, or None for all messages.
        key: the fingerprint of the key that signed the token.
    """

    account: str
    message_key: MessageKey | None = None
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ProbeToken:
    """The verified content of a probe URL's token. A probe checks that the callback view is reachable.

    Attributes:
        nonce: a random value that makes each probe unique, so that no cache can respond to it.
    """

    nonce: str


def callback_url(account: str = conf.DEFAULT_ACCOUNT) -> str:
    """Return the callback URL of an account. Paste it into Messente's dashboard as the default delivery report URL.

    Args:
        account: the account's name in ``MESSENTE_DLR``.

    Raises:
        ImproperlyConfigured: the account or ``CALLBACK_BASE_URL`` is not configured.
    """
    return _signed_url(f"a.{conf.account(account).name}")


def message_callback_url(message_key: MessageKey, account: str) -> str:
    """Return the callback URL of one message. Pass it to Messente with the message, as ``dlr-url``.

    Args:
        message_key: the primary key of the `SmsMessage` and its ``created_at``.
        account: the name of the account that sends the message.

    Raises:
        ImproperlyConfigured: ``CALLBACK_BASE_URL`` is not configured.
        ValueError: the message is not saved, so it has no primary key.
    """
    if not message_key.pk:
        raise ValueError("The message has no primary key, which its callback URL contains. Save it first.")
    return _signed_url(f"m{message_key.encode()}.{account}")


def probe_url() -> tuple[str, ProbeToken]:
    """Return a probe URL and its token. The callback view responds to the URL and stores nothing.

    Raises:
        ImproperlyConfigured: ``CALLBACK_BASE_URL`` is not configured.
    """
    probe = ProbeToken(secrets.token_hex(16))
    return _signed_url(f"p.{probe.nonce}"), probe


def sign_probe(probe: ProbeToken) -> str:
    """Return the proof that only a site with this project's signing keys can return to a probe.

    Args:
        probe: the token of the probe URL.
    """
    return _signers(PROBE_SALT)[0].sign(probe.nonce)


def check_probe(proof: str, probe: ProbeToken) -> bool:
    """Return whether a proof was signed for this probe with one of the signing keys.

    Args:
        proof: the proof in the response to the probe.
        probe: the token of the probe URL.
    """
    return len(proof) <= MAX_TOKEN and any(_unsign(signer, proof) == probe.nonce for signer in _signers(PROBE_SALT))


def read_token(token: str) -> CallbackToken | ProbeToken | None:
    """Return the content of a callback URL's token, or None if no signing key verifies it.

    Args:
        token: the token from the path of the URL.
    """
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    for signer in _signers(SALT):
        if (value := _unsign(signer, token)) is not None:
            break
    else:
        return None
    match = TOKEN.fullmatch(value)
    if match is None:
        return None
    if match["probe"]:
        return ProbeToken(match["probe"])
    message_key = MessageKey.decode(match["message"]) if match["message"] else None
    return CallbackToken(
        account=match["account"], message_key=message_key, key=key_fingerprints.fingerprint(signer.key)
    )


def signing_keys() -> tuple[str | bytes, ...]:
    """Return the keys of callback URLs. The first key signs new URLs, and each key verifies."""
    return conf.get_config().callback_keys or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _signed_url(value: str) -> str:
    """Return the absolute callback URL with the signed value as its token."""
    base = conf.get_config().callback_base_url
    if not base:
        raise ImproperlyConfigured(
            f"{conf.SETTING} has no CALLBACK_BASE_URL. Set it to the scheme and host at which Messente reaches "
            'this project, such as "https://shop.example.com".'
        )
    return base.rstrip("/") + paths.view_path("callback", token=_signers(SALT)[0].sign(value))


def _signers(salt: str) -> list[Signer]:
    """Return one signer for each signing key. Signer's ``fallback_keys`` would not show which key has matched."""
    return _create_signers(salt, signing_keys())


@lru_cache(maxsize=8)  # every callback needs the same signers
def _create_signers(salt: str, keys: tuple[str | bytes, ...]) -> list[Signer]:
    return [Signer(key=key, fallback_keys=[], sep=".", salt=salt) for key in keys]


def _unsign(signer: Signer, signed_value: str) -> str | None:
    """Return the value without its signature, or None if the signature does not match."""
    try:
        return signer.unsign(signed_value)
    except BadSignature:
        return None
