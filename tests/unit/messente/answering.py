"""Mock responses and failures of Messente, made with `responses`. Tests that use them open no sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ReadTimeout, SSLError
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProtocolError

from django_messente_dlr.messente.client import MessenteClient

FIRST, BACKUP = "https://api2.messente.com", "https://api3.messente.com"
OMNICHANNEL = "https://api.messente.com/v1"
USERNAME, PASSWORD = "shop", "pä§$word&=+ 1"
ID = "d92bb23c3c68f018"

# Every call to the SMS API by endpoint.
CALLS: dict[str, Callable[[MessenteClient], Any]] = {
    "send_sms": lambda c: c.send("+37255500000", "Your parcel is here"),
    "get_dlr_response": lambda c: c.get_report(ID),
    "get_balance": lambda c: c.get_balance(),
    "cancel_sms": lambda c: c.cancel(ID),
}
every_call = pytest.mark.parametrize("endpoint", CALLS)
every_idempotent_call = pytest.mark.parametrize("endpoint", [name for name in CALLS if name != "send_sms"])


def client(**options: Any) -> MessenteClient:
    return MessenteClient(USERNAME, PASSWORD, **options)


class Messente(responses.RequestsMock):
    """Mock Messente's hosts. A request without a prepared response fails with a connection error."""

    def __init__(self) -> None:
        super().__init__(assert_all_requests_are_fired=True)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def answer(self, host: str, endpoint: str, body: str | bytes | Exception = "", **options: Any) -> None:
        """Prepare the next response, or failure, of a host for an endpoint."""
        self.add(responses.POST, f"{host}/{endpoint}/", body=body, **options)

    def hosts_asked(self) -> list[str]:
        return ["/".join(str(call.request.url).split("/")[:3]) for call in self.calls]

    def body(self, index: int = 0) -> dict[str, str]:
        """Return the form fields of a request by its index."""
        body = self.calls[index].request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))


_CONNECTION = HTTPSConnection("api2.messente.com")
_POOL = HTTPSConnectionPool("api2.messente.com")


def no_connection() -> Exception:
    """Return the exception of requests for a closed port or an unknown hostname."""
    return requests.ConnectionError(MaxRetryError(_POOL, "/", NewConnectionError(_CONNECTION, "refused")))


def no_connection_in_time() -> Exception:
    return ConnectTimeout(MaxRetryError(_POOL, "/", ConnectTimeoutError(_CONNECTION, "timed out")))


def no_answer_in_time() -> Exception:
    return ReadTimeout("timed out")


def reset() -> Exception:
    return requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))


def broken_off() -> Exception:
    return ChunkedEncodingError(ProtocolError("Connection broken: IncompleteRead"))


def broken_tls() -> Exception:
    return SSLError("EOF occurred in violation of protocol")


NEVER_LEFT = (no_connection, no_connection_in_time)
MAY_HAVE_ARRIVED = (no_answer_in_time, reset, broken_off, broken_tls)
