"""HTTP to Messente: one Session a thread, time-outs, the backup host, typed errors.

In come an endpoint and its parameters; out comes the text of a host's answer, or a `MessenteError`. What the
answer means is for the client to say.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationValueError, NewConnectionError, ProxyError
from urllib3.exceptions import SSLError as TransportSSLError

from django_messente_dlr.messente import errors, fields
from django_messente_dlr.messente.answers import AnswerCode

# Raised over our own URL. Not InvalidHeader: that one tells of an answer's header, too.
NO_ADDRESS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    LocationValueError,
)


class _RefusedByServer(errors.ServerFailure):
    """``FAILED 209``: the server says itself that it did nothing, so another may be asked even to send."""


class _Unclear(errors.UnreadableAnswer):
    """A success that says nothing: whatever was asked for may have been done."""


class Body(dict[str, str]):
    """The fields of a request's body, which show their names alone where a traceback shows its variables."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


class _Session(requests.Session):
    """A Session to which a redirect is an answer like any other: where it points to is not even parsed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Transport:
    """Exchanges requests with Messente's hosts. Safe to share: every thread has a Session of its own.

    Args:
        hosts: the SMS API's hosts with their scheme, in the order of preference.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for each piece of an answer.
    """

    def __init__(self, hosts: Sequence[str], *, connect_timeout: float, read_timeout: float) -> None:
        self._hosts = [host.rstrip("/") for host in hosts]
        self._timeout = (connect_timeout, read_timeout)
        self._local = threading.local()

    def call(self, endpoint: str, parameters: Mapping[str, str], *, idempotent: bool) -> str:
        """POST to the hosts, one after the other, until one answers; return the answer's text.

        Args:
            endpoint: the last part of the URL, such as ``send_sms``.
            parameters: the body's fields, credentials among them.
            idempotent: whether the call may be made again when it is not known whether it has arrived.

        Raises:
            OutcomeUnknown: a call that may not be repeated may have arrived.
            MessenteError: what went wrong with the last host.
        """
        failure: errors.MessenteError = errors.ConnectionFailed("No host of Messente's is configured.")
        for host in self._hosts:
            try:
                return self._post(host, endpoint, parameters)
            except (errors.ConnectionFailed, _RefusedByServer) as exc:
                failure = exc
            except (errors.OutcomeUnknown, errors.ServerFailure) as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request may have arrived all the same.") from exc
                failure = exc
            except _Unclear as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request has arrived all the same.") from exc
                raise
        raise failure

    def exchange(self, method: str, url: str, *, where: str, **arguments: Any) -> requests.Response:
        """Make one request, never following a redirect, and return the response.

        Args:
            method: the HTTP method.
            url: where to.
            where: how to call the other side in an error.
            arguments: further arguments of ``Session.request``.

        Raises:
            ConnectionFailed: it has not arrived.
            OutcomeUnknown: it may have arrived.
        """
        try:
            return self._session.request(method, url, timeout=self._timeout, allow_redirects=False, **arguments)
        except (requests.RequestException, HTTPError) as exc:  # requests lets some of urllib3's through
            arrived, reason = not never_left(exc), type(exc).__name__
        # Raised out here, where nothing is chained: the exception of requests holds the request, and its secrets.
        if arrived:
            raise errors.OutcomeUnknown(f"{where} did not answer ({reason}).")
        raise errors.ConnectionFailed(f"{where} could not be reached ({reason}).")

    def close(self) -> None:
        """Close the calling thread's connections."""
        session = self._local.__dict__.pop("session", None)
        if session is not None:
            session.close()

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = _Session()
            # Whether to try again is decided above, call by call: a retry below could send a message twice.
            session.mount("https://", HTTPAdapter(max_retries=0))
            session.mount("http://", HTTPAdapter(max_retries=0))
            self._local.session = session
        return session

    def _post(self, host: str, endpoint: str, parameters: Mapping[str, str]) -> str:
        response = self.exchange("POST", f"{host}/{endpoint}/", where=host, data=parameters)
        check_http(response, where=host)
        answer = response.content.decode("utf-8", "replace").strip()
        if not answer:
            raise _Unclear(f"{host} answered nothing.")
        if AnswerCode.known(answer) is AnswerCode.SERVER_FAILURE:
            raise _RefusedByServer(f"{host} answered «{AnswerCode.SERVER_FAILURE}».")
        return answer


def check_http(response: requests.Response, *, where: str) -> None:
    """Raise the error that a response's HTTP status stands for; 200 alone stands for none."""
    status = response.status_code
    if status == 429:
        wait, _ = fields.number(response.headers.get("Retry-After"))
        wait = wait if wait is not None and wait >= 0 else None
        raise errors.RateLimited(f"{where} asks for fewer requests (HTTP 429).", retry_after=wait)
    if status >= 500:
        raise errors.ServerFailure(f"{where} answered HTTP {status}.")
    if status != 200:
        unreadable = _Unclear if status < 300 else errors.UnreadableAnswer
        raise unreadable(f"{where} answered HTTP {status}.")


def never_left(exc: Exception) -> bool:
    """Tell whether a request failed before any of it can have reached the server."""
    if isinstance(exc, NO_ADDRESS):
        return True
    reason = getattr(exc.args[0] if exc.args else None, "reason", None)
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    if isinstance(reason, TransportSSLError):
        return isinstance(reason.args[0] if reason.args else None, ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
