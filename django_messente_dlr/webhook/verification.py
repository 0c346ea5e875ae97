"""Authenticate a callback by the token of its URL, its signature and its IP address, before a report is parsed.

The result is a `CallbackIdentity`. If a check fails, `CallbackRejected` contains the status and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from django_messente_dlr import conf
from django_messente_dlr.callbacks import key_fingerprints, tokens
from django_messente_dlr.callbacks.key_fingerprints import KeyFingerprints
from django_messente_dlr.callbacks.message_keys import MessageKey
from django_messente_dlr.callbacks.tokens import CallbackToken, ProbeToken
from django_messente_dlr.messente import signatures
from django_messente_dlr.webhook import client_ip

# Bytes. An Omnichannel callback has about 500 bytes, so the limit rejects no report.
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackIdentity:
    """The account, and possibly the message, for which a callback is authenticated.

    Attributes:
        account: the account's name.
        message_key: the message in the URL's token, or None if the token is not for one message.
        keys: the fingerprints of the keys that verified the callback.
        body: the signed body of a POST request.
    """

    account: str
    message_key: MessageKey | None
    keys: KeyFingerprints
    body: bytes = b""


class CallbackRejected(Exception):
    """The callback is rejected.

    Args:
        status: the HTTP status of the response.
        reason: the response's body, a sentence.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_token(token: str) -> CallbackToken | ProbeToken | None:
    """Return the parsed token of a URL, or None if the URL has no token.

    Args:
        token: the token, or "".

    Raises:
        CallbackRejected: no signing key of this project verifies the token.
    """
    url_token = tokens.read_token(token) if token else None
    if token and url_token is None:
        raise CallbackRejected(403, "The URL was not signed by this site.")
    return url_token


def authenticate(request: HttpRequest, url_token: CallbackToken | None) -> CallbackIdentity:
    """Return the account and the message for which a callback is authenticated.

    Args:
        request: a GET or a POST request.
        url_token: the token of the URL, or None if it has none.

    Raises:
        CallbackRejected: the IP address is not allowed, or no token or signature authenticates the callback.
    """
    if not client_ip.is_allowed_ip(request.META):
        raise CallbackRejected(403, "Callbacks may not come from this address.")
    if request.method == "POST":
        return _authenticate_post(request, url_token)
    if url_token is None:
        raise CallbackRejected(403, "A report by GET needs a signed URL.")
    if url_token.message_key is None and url_token.account not in conf.accounts():
        raise CallbackRejected(403, "The URL belongs to an account that is no longer configured.")
    return CallbackIdentity(
        account=url_token.account, message_key=url_token.message_key, keys=KeyFingerprints(url=url_token.key)
    )


def verify_probe(request: HttpRequest, probe: ProbeToken) -> None:
    """Check the signature of a probe by POST. For a probe by GET the token of its URL is sufficient.

    Args:
        request: a GET or a POST request.
        probe: the token of its URL.

    Raises:
        CallbackRejected: no account signed the body of the POST request.
    """
    if request.method == "POST":
        _find_signer(request, read_body(request))


def read_body(request: HttpRequest) -> bytes:
    """Return a request's body. At most `MAX_BODY` bytes and one more are read, whatever the client sends.

    Args:
        request: a POST request.

    Raises:
        CallbackRejected: the body is too long, incomplete or malformed.
    """
    upload_limit: int | None = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    limit = MAX_BODY if upload_limit is None else min(upload_limit, MAX_BODY)
    try:
        content_length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        content_length = 0
    try:
        # Content-Length can be missing (chunked body) or wrong, so that the read itself is limited too.
        body = b"" if content_length > limit else _read_bytes(request, limit + 1)
    except OSError:  # the base class of UnreadablePostError: usually the client has closed the connection
        raise CallbackRejected(400, "The body is incomplete.") from None
    except Exception as exc:  # noqa: BLE001 - each server has its own exceptions for malformed chunks
        # Nothing is verified yet, so any client could fill the log with tracebacks.
        raise CallbackRejected(400, f"The body cannot be read ({type(exc).__name__}).") from None
    if content_length > limit or len(body) > limit:
        raise CallbackRejected(413, f"The body is longer than {limit} bytes.")
    return body


def _authenticate_post(request: HttpRequest, url_token: CallbackToken | None) -> CallbackIdentity:
    body = read_body(request)
    signer = _find_signer(request, body)
    if url_token is not None and url_token.account != signer.account:
        raise CallbackRejected(403, "The URL and the signature belong to different accounts.")
    password = conf.account(signer.account).passwords[signer.position]
    return CallbackIdentity(
        account=signer.account,
        message_key=url_token.message_key if url_token else None,
        keys=KeyFingerprints(
            url=url_token.key if url_token else "", signature=key_fingerprints.fingerprint(password)
        ),
        body=body,
    )


def _find_signer(request: HttpRequest, body: bytes) -> signatures.Signer:
    """Return the account and the password that signed a body, or raise `CallbackRejected`."""
    passwords = {name: account.passwords for name, account in conf.accounts().items()}
    signer = signatures.find_signer(body, request.headers.get(signatures.HEADER, ""), passwords)
    if signer is None:
        raise CallbackRejected(403, f"{signatures.HEADER} is missing, or no account of this site created it.")
    return signer


def _read_bytes(request: HttpRequest, size: int) -> bytes:
    """Read at most ``size`` bytes of a body.

    Django reads nothing from a request without Content-Length. A server that sets ``wsgi.input_terminated`` decodes
    chunked bodies, and its input can be read to the end.
    """
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        return bytes(request.META["wsgi.input"].read(size))
    return bytes(request.read(size))
