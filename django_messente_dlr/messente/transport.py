"""HTTP requests to Messente: time-outs, the backup host and typed errors.

The client passes an endpoint and its parameters, and receives the text of a host's response or a `MessenteError`.
The client interprets the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.circuit_breaker import CircuitBreaker
from django_messente_dlr.messente.exchanges import Exchanges
from django_messente_dlr.messente.http_errors import AmbiguousResponse, check_http, was_never_sent
from django_messente_dlr.messente.http_session import Adapter, Body, Session
from django_messente_dlr.messente.response_codes import ResponseCode


class _RequestNotProcessed(errors.ServerFailure):
    """``FAILED 209``: the server reports that it did nothing, so even a send may be repeated at another host."""


class Transport:
    """Send requests to Messente's hosts. Threads may share an instance: each thread has its own session.

    Args:
        hosts: the SMS API's hosts with their scheme, the preferred one first.
        connect_timeout: the seconds to wait for a connection.
        read_timeout: the seconds to wait for each part of a response.
        total_timeout: the seconds until a request to one host is abandoned, whatever has arrived.
    """

    def __init__(
        self, hosts: Sequence[str], *, connect_timeout: float, read_timeout: float, total_timeout: float
    ) -> None:
        self._hosts = [host.rstrip("/") for host in hosts]
        self._timeout = (connect_timeout, read_timeout)
        self._exchanges = Exchanges(_create_session, total_timeout=total_timeout)
        self._circuit_breaker = CircuitBreaker()

    def call(
        self,
        endpoint: str,
        parameters: Body,
        *,
        idempotent: bool,
        can_wait: bool = False,
        on_lost: Callable[[errors.MessenteError], object] | None = None,
    ) -> str:
        """POST to the hosts, one after the other, until one responds. Return the text of its response.

        Hosts that failed recently are skipped. If all hosts failed recently, all are tried.

        Args:
            endpoint: the last part of the URL, such as ``send_sms``.
            parameters: the form fields, including the credentials.
            idempotent: whether the call may be repeated although an earlier request may have arrived.
            can_wait: whether to raise `HostUnavailable` instead of trying hosts that failed recently.
            on_lost: is called with the error of each host that may have processed the request, before the next host.

        Raises:
            OutcomeUnknown: a call that must not be repeated may have arrived.
            HostUnavailable: all hosts failed recently and ``can_wait`` is true. No request was made.
            MessenteError: the error of the last host.
        """
        error: errors.MessenteError = errors.ConnectionFailed("No host of Messente is configured.")
        delays = {host: self._circuit_breaker.seconds_until_retry(host) for host in self._hosts}
        available = [host for host in self._hosts if not delays[host]]
        if delays and not available and can_wait:
            raise _host_unavailable(min(delays.values()))
        for host in available or self._hosts:
            try:
                with self._record_outcome(host):
                    return self._post(host, endpoint, parameters)
            except (errors.ConnectionFailed, _RequestNotProcessed) as exc:
                error = exc
            except (errors.NoResponse, errors.ServerFailure) as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request may have arrived.") from exc
                if on_lost is not None:
                    on_lost(exc)
                error = exc
            except AmbiguousResponse as exc:
                if not idempotent:
                    raise errors.OutcomeUnknown(f"{exc} The request has arrived.") from exc
                raise
        raise error

    def request(self, method: str, url: str, *, base: str, can_wait: bool, **arguments: Any) -> requests.Response:
        """Make a request to an API with a single host. Return the response, with any HTTP status below 500.

        Args:
            method: the HTTP method.
            url: the URL.
            base: the API's base URL, which identifies the host in the circuit breaker and in errors.
            can_wait: whether to raise `HostUnavailable` instead of trying a host that failed recently.
            arguments: further arguments of ``Session.request``.

        Raises:
            HostUnavailable: the host failed recently, and ``can_wait`` is true. No request was made.
            ConnectionFailed: the request has not arrived.
            NoResponse: the request may have arrived.
            MessenteError: the request failed, or the response has an HTTP status of 500 or above.
        """
        if can_wait and (delay := self._circuit_breaker.seconds_until_retry(base)):
            raise _host_unavailable(delay)
        with self._record_outcome(base):
            response = self.send_request(method, url, where=base, **arguments)
            if response.status_code >= 500:
                check_http(response, where=base)
        return response

    @contextmanager
    def _record_outcome(self, host: str) -> Iterator[None]:
        """Report the outcome of the enclosed request to the circuit breaker."""
        try:
            yield
        except errors.ConnectionFailed:
            self._circuit_breaker.record_failure(host, connected=False)
            raise
        except (errors.NoResponse, errors.ServerFailure):
            self._circuit_breaker.record_failure(host, connected=True)
            raise
        except errors.MessenteError:
            self._circuit_breaker.record_response(host)
            raise
        self._circuit_breaker.record_response(host)

    def send_request(self, method: str, url: str, *, where: str, **arguments: Any) -> requests.Response:
        """Make one request without following redirects. Return the response.

        Args:
            method: the HTTP method.
            url: the URL.
            where: the host or URL to name in an error.
            arguments: further arguments of ``Session.request``.

        Raises:
            ConnectionFailed: the request has not arrived.
            NoResponse: the request may have arrived.
        """
        try:
            return self._exchanges.request(
                method, url, host=where, timeout=self._timeout, allow_redirects=False, **arguments
            )
        except (requests.RequestException, HTTPError) as exc:  # requests does not wrap all exceptions of urllib3
            may_have_arrived, reason = not was_never_sent(exc), type(exc).__name__
        # Raised outside the except block: chaining would keep the request, whose body holds the password.
        if may_have_arrived:
            raise errors.NoResponse(f"{where} did not answer ({reason}).")
        raise errors.ConnectionFailed(f"{where} could not be reached ({reason}).")

    def close(self) -> None:
        """Close the connections of the calling thread."""
        self._exchanges.close()

    def _post(self, host: str, endpoint: str, parameters: Body) -> str:
        response = self.send_request("POST", f"{host}/{endpoint}/", where=host, data=parameters)
        check_http(response, where=host)
        text = response.content.decode("utf-8-sig", "replace").strip()
        if not text:
            raise AmbiguousResponse(f"{host} sent an empty response.")
        if ResponseCode.from_code(text) is ResponseCode.SERVER_FAILURE:
            raise _RequestNotProcessed(f'{host} answered "{ResponseCode.SERVER_FAILURE}".')
        return text


def _create_session() -> requests.Session:
    session = Session()
    # Retries are decided in call(). A retry by urllib3 could send a message twice.
    session.mount("https://", Adapter(max_retries=0))
    session.mount("http://", Adapter(max_retries=0))
    return session


def _host_unavailable(seconds: float) -> errors.HostUnavailable:
    return errors.HostUnavailable(
        f"Messente failed recently. The next request is allowed in {seconds:.0f} seconds.", retry_after=seconds
    )
