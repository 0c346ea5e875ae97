"""Who is speaking? Verifies a callback by its URL's token, its signature and its address, before anything is parsed.

In comes a request; out comes a `CallbackIdentity`, or a `CallbackRejected` that says in a sentence why not.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from django_messente_dlr import conf
from django_messente_dlr.callbacks import key_fingerprints, tokens
from django_messente_dlr.callbacks.key_fingerprints import KeyFingerprints
from django_messente_dlr.callbacks.tokens import CallbackToken, ProbeToken
from django_messente_dlr.messente import signatures
from django_messente_dlr.webhook import client_ip

# An Omnichannel callback is some 500 bytes; nothing of Messente's comes near this.
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackIdentity:
    """Who is speaking, and of what.

    Attributes:
        account: an account.
        message_pk: the one message of the account that the URL names, or None.
        keys: by which keys that was verified.
        body: the signed body of a POST.
    """

    account: str
    message_pk: int | None
    keys: KeyFingerprints
    body: bytes = b""


class CallbackRejected(Exception):
    """Ends the request with a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def read_token(token: str) -> CallbackToken | ProbeToken | None:
    """Return what a URL speaks for; None for one without a token.

    Raises:
        CallbackRejected: it was not signed by us.
    """
    claims = tokens.read_token(token) if token else None
    if token and claims is None:
        raise CallbackRejected(403, "The URL was not signed by this site.")
    return claims


def authenticate(request: HttpRequest, claims: CallbackToken | None) -> CallbackIdentity:
    """Return who is speaking.

    Args:
        request: a GET or a POST.
        claims: what the URL speaks for, or None where it has no token.

    Raises:
        CallbackRejected: that cannot be told, or may not speak.
    """
    if not client_ip.is_allowed_ip(request.META):
        raise CallbackRejected(403, "Callbacks may not come from this address.")
    if request.method == "POST":
        return _verify_post(request, claims)
    if claims is None:
        raise CallbackRejected(403, "A report by GET needs a signed URL.")
    if claims.message_pk is None and claims.account not in conf.accounts():
        raise CallbackRejected(403, "The URL is that of an account which is not in use any more.")
    return CallbackIdentity(
        account=claims.account, message_pk=claims.message_pk, keys=KeyFingerprints(url=claims.key)
    )


def verify_probe(request: HttpRequest, probe: ProbeToken) -> None:
    """Refuse a probe by POST that no account has signed; one by GET needs its URL alone."""
    if request.method == "POST":
        _signer_of(request, read_body(request))


def read_body(request: HttpRequest) -> bytes:
    """Return the body, of which no more is ever read than it may have.

    Raises:
        CallbackRejected: it is too long, or broke off.
    """
    own: int | None = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    limit = MAX_BODY if own is None else min(own, MAX_BODY)
    try:
        told = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        told = 0
    try:
        # What was told need not be so: a chunked body has no length, and a header can say anything.
        body = b"" if told > limit else _read(request, limit + 1)
    except OSError:  # UnreadablePostError is one
        raise CallbackRejected(400, "The body broke off.") from None
    if told > limit or len(body) > limit:
        raise CallbackRejected(413, f"The body is longer than {limit} bytes.")
    return body


def _verify_post(request: HttpRequest, claims: CallbackToken | None) -> CallbackIdentity:
    body = read_body(request)
    signer = _signer_of(request, body)
    if claims is not None and claims.account != signer.account:
        raise CallbackRejected(403, "The URL is another account's than the signature.")
    password = conf.account(signer.account).passwords[signer.position]
    return CallbackIdentity(
        account=signer.account,
        message_pk=claims.message_pk if claims else None,
        keys=KeyFingerprints(url=claims.key if claims else "", signature=key_fingerprints.fingerprint(password)),
        body=body,
    )


def _signer_of(request: HttpRequest, body: bytes) -> signatures.Signer:
    passwords = {name: account.passwords for name, account in conf.accounts().items()}
    signer = signatures.find_signer(body, request.headers.get(signatures.HEADER, ""), passwords)
    if signer is None:
        raise CallbackRejected(403, f"{signatures.HEADER} is missing or not by an account of this site.")
    return signer


def _read(request: HttpRequest, size: int) -> bytes:
    """Read up to ``size`` bytes, also where the server has a chunked body whose length Django does not know."""
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        return bytes(request.META["wsgi.input"].read(size))
    return bytes(request.read(size))
