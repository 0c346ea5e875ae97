"""Bodies that a server cannot read: the response is a 4xx, and the log has one line for each without a traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from django_messente_dlr.models import DeliveryReport
from tests.integration.processes.web import Web, wait_until

HEAD = b"POST /messente/dlr/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "size": CHUNKED + b"ZZ\r\nabc\r\n0\r\n\r\n",
    "negative size": CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n",
    "terminator": CHUNKED + b"3\r\nabcXX0\r\n\r\n",
    "extension": CHUNKED + b"3;\x01=\r\nabc\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"3\r\nabc\r\n0\r\nno trailer\n\r\n\r\n",
}
INCOMPLETE = {
    "chunked": CHUNKED + b"FF\r\nabc",
    "no chunk": CHUNKED,
    "length": HEAD + b"Content-Length: 100\r\n\r\nabc",
}


@pytest.fixture(params=["wsgi", "asgi"])
def web(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Web]:
    if request.param == "asgi" and not find_spec("gunicorn.asgi"):
        pytest.skip("this version of gunicorn has no ASGI worker")
    with Web(tmp_path, database, workers=1, interface=request.param) as served:
        yield served


def connect(web: Web, content: bytes) -> socket.socket:
    """Send the bytes of a request on a new connection, and return the connection."""
    parts = urlsplit(web.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    connection.sendall(content)
    return connection


def is_traceback_logged(web: Web) -> bool:
    return any(text in web.log.read_text() for text in ("Traceback", 'File "', "could not be processed"))


def test_malformed_chunks__are_400(web: Web) -> None:
    statuses = {}
    for name, content in MALFORMED.items():
        with connect(web, content) as connection, HTTPResponse(connection) as response:
            response.begin()
            statuses[name] = response.status
    assert statuses == dict.fromkeys(MALFORMED, 400)
    assert not is_traceback_logged(web)
    assert not DeliveryReport.objects.exists()


def test_incomplete_body__logs_no_traceback(web: Web) -> None:
    """The client closes its side of the connection, or resets the connection, before it has sent the body."""
    for content in INCOMPLETE.values():
        with connect(web, content) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100).split(b" ")[1:2] in ([], [b"400"], [b"403"])
        with connect(web, content) as connection:
            linger_zero = b"\x01\0\0\0\0\0\0\0"  # close() then sends a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
    marker = HEAD.replace(b"POST", b"PUT") + b"\r\n"
    with connect(web, marker) as connection:
        assert b" 405 " in connection.recv(100)
    wait_until(lambda: " 405: " in web.log.read_text())
    assert not is_traceback_logged(web)
    assert not DeliveryReport.objects.exists()
