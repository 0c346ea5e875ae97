"""Conversion of HTTP statuses and of exceptions from requests and urllib3 to a `MessenteError`."""

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
from django_messente_dlr.messente.exchanges import NoThread

# No request was made: the others refer to the URL of the request. InvalidHeader is not among them, because it is also
# raised for a header of the response.
NO_REQUEST_ERRORS = (
    NoThread,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    LocationValueError,
)

# Seconds. Without the minimum, a header of 0 would cause the next request at once, and HTTP 429 again.
MIN_RETRY_AFTER = 1.0


class AmbiguousResponse(errors.UnreadableResponse):
    """The response reports neither a result nor an error. Messente may have processed the request."""


def check_http(response: requests.Response, *, where: str) -> None:
    """Raise the error that matches a response's HTTP status.

    Args:
        response: the response.
        where: the host or URL to name in the error.

    Raises:
        RateLimited: HTTP 429.
        ServerFailure: HTTP 5xx.
        AmbiguousResponse: HTTP 2xx other than 200, or a redirect: another server may have processed the request.
        UnreadableResponse: any other status than 200.
    """
    status = response.status_code
    if status == 429:
        raise errors.RateLimited(
            f"{where} requires fewer requests (HTTP 429).",
            retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        )
    if status >= 500:
        raise errors.ServerFailure(f"{where} answered HTTP {status}.")
    if status != 200:
        error_class = AmbiguousResponse if status < 400 else errors.UnreadableResponse
        raise error_class(f"{where} answered HTTP {status}.")


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Return the seconds to wait from a ``Retry-After`` header (seconds or a date), or None if it is invalid.

    The result is at least `MIN_RETRY_AFTER`, also for a date in the past.
    """
    if not retry_after or len(retry_after) > 64:
        return None
    try:
        return max(MIN_RETRY_AFTER, Retry().parse_retry_after(retry_after))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def was_never_sent(exc: Exception) -> bool:
    """Return whether a request failed before any part of it can have reached the server."""
    if isinstance(exc, NO_REQUEST_ERRORS):
        return True
    reason = getattr(exc.args[0] if exc.args else None, "reason", None)
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    if isinstance(reason, TransportSSLError):
        return isinstance(reason.args[0] if reason.args else None, ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
