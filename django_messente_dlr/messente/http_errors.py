"""What a response, or the lack of one, stands for: from HTTP's and urllib3's words to a `MessenteError`."""

from __future__ import annotations

import ssl

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    InvalidHeader,
    LocationValueError,
    NewConnectionError,
    ProxyError,
)
from urllib3.exceptions import SSLError as TransportSSLError
from urllib3.util import Retry

from django_messente_dlr.messente import errors

# Raised over our own URL. Not InvalidHeader: that one tells of an answer's header, too.
NO_ADDRESS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    LocationValueError,
)


class AmbiguousResponse(errors.UnreadableResponse):
    """A success that says nothing: whatever was asked for may have been done."""


def check_http(response: requests.Response, *, where: str) -> None:
    """Raise the error that a response's HTTP status stands for; 200 alone stands for none."""
    status = response.status_code
    if status == 429:
        raise errors.RateLimited(
            f"{where} asks for fewer requests (HTTP 429).",
            retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        )
    if status >= 500:
        raise errors.ServerFailure(f"{where} answered HTTP {status}.")
    if status != 200:
        unreadable = AmbiguousResponse if status < 300 else errors.UnreadableResponse
        raise unreadable(f"{where} answered HTTP {status}.")


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` (a number or a date) asks to wait; None where it is neither."""
    if not retry_after or len(retry_after) > 64:
        return None
    try:
        return Retry().parse_retry_after(retry_after)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def was_never_sent(exc: Exception) -> bool:
    """Tell whether a request failed before any of it can have reached the server."""
    if isinstance(exc, NO_ADDRESS):
        return True
    reason = getattr(exc.args[0] if exc.args else None, "reason", None)
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    if isinstance(reason, TransportSSLError):
        return isinstance(reason.args[0] if reason.args else None, ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
