"""HTTP to Messente: one Session a thread, time-outs, the backup host, typed errors.

In come an endpoint and its parameters; out comes the text of a host's answer, or a `MessenteError`. What the
answer means is for the client to say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.circuit_breaker import CircuitBreaker
from django_messente_dlr.messente.http_errors import AmbiguousResponse, check_http, was_never_sent
from django_messente_dlr.messente.http_session import Adapter, Body, Session
from django_messente_dlr.messente.response_codes import ResponseCode


class _RefusedByServer(errors.ServerFailure):
    """``FAILED 209``: the server says itself that it did nothing, so another may be asked even to send."""


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
        self._circuit_breaker = CircuitBreaker()

    def call(self, endpoint: str, parameters: Body, *, idempotent: bool, patient: bool = False) -> str:
        """POST to the hosts, one after the other, until one answers; return the answer's text.

        A host that has failed a moment ago is left out. Where that leaves none, all are tried.

        Args:
            endpoint: the last part of the URL, such as ``send_sms``.
            parameters: the body's fields, credentials among them.
            idempotent: whether the call may be made again when it is not known whether it has arrived.
            patient: whether the call can wait until a host has rested: then none is tried before.

        Raises:
            OutcomeUnknown: a call that may not be repeated may have arrived.
            HostUnavailable: a patient call was not made.
            MessenteError: what went wrong with the last host.
        """
        failure: errors.MessenteError = errors.ConnectionFailed("No host of Messente's is configured.")
        rests = {host: self._circuit_breaker.seconds_until_retry(host) for host in self._hosts}
        fit = [host for host in self._hosts if not rests[host]]
        if rests and not fit and patient:
            raise _resting(min(rests.values()))
        for host in fit or self._hosts:
            try:
                with self._minding(host):
                    return self._post(host, endpoint, parameters)
            except (errors.ConnectionFailed, _RefusedByServer) as exc:
                failure = exc
            except (errors.OutcomeUnknown, errors.ServerFailure) as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request may have arrived all the same.") from exc
                failure = exc
            except AmbiguousResponse as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request has arrived all the same.") from exc
                raise
        raise failure

    def get(self, url: str, *, base: str, **arguments: Any) -> requests.Response:
        """GET from an API that has one host alone, and return the response; its failures are for the caller to see.

        Args:
            url: where to.
            base: the API's base URL, which a failure is told with.
            arguments: further arguments of ``Session.request``.

        Raises:
            HostUnavailable: it has failed a moment ago and was not asked.
            MessenteError: it could not be asked, or its server failed.
        """
        if rest := self._circuit_breaker.seconds_until_retry(base):
            raise _resting(rest)
        with self._minding(base):
            response = self.exchange("GET", url, where=base, **arguments)
            if response.status_code >= 500:
                check_http(response, where=base)
        return response

    @contextmanager
    def _minding(self, host: str) -> Iterator[None]:
        """Note how a host bears itself."""
        try:
            yield
        except errors.ConnectionFailed:
            self._circuit_breaker.failed(host, connected=False)
            raise
        except (errors.OutcomeUnknown, errors.ServerFailure):
            self._circuit_breaker.failed(host, connected=True)
            raise
        except errors.MessenteError:
            self._circuit_breaker.answered(host)
            raise
        self._circuit_breaker.answered(host)

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
            arrived, reason = not was_never_sent(exc), type(exc).__name__
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
            session = Session()
            # Whether to try again is decided above, call by call: a retry below could send a message twice.
            session.mount("https://", Adapter(max_retries=0))
            session.mount("http://", Adapter(max_retries=0))
            self._local.session = session
        return session

    def _post(self, host: str, endpoint: str, parameters: Body) -> str:
        response = self.exchange("POST", f"{host}/{endpoint}/", where=host, data=parameters)
        check_http(response, where=host)
        answer = response.content.decode("utf-8-sig", "replace").strip()
        if not answer:
            raise AmbiguousResponse(f"{host} answered nothing.")
        if ResponseCode.from_code(answer) is ResponseCode.SERVER_FAILURE:
            failure = ResponseCode.SERVER_FAILURE
            raise _RefusedByServer(f"{failure.meaning} {host} answered «{failure}».")
        return answer


def _resting(seconds: float) -> errors.HostUnavailable:
    return errors.HostUnavailable(
        f"Messente has failed a moment ago and is left alone for {seconds:.0f} seconds more.", retry_after=seconds
    )
