"""Send WSGI requests to the project, through Django's handler and every middleware.

Django's test client builds only well-formed requests. A WSGI server also passes malformed ones to the application.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request in the bytes of the wire.

    Attributes:
        method: the HTTP method.
        path: the path, percent-encoded.
        query: the query string, without the question mark.
        body: the body.
        length: the value of the Content-Length header; None sends no such header.
        headers: the other headers, named as in a WSGI environ.
    """

    method: str = "GET"
    path: bytes = b"/"
    query: bytes = b""
    body: bytes = b""
    length: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, Any]:
        """Return the WSGI environ of the request: all bytes as latin-1, the path decoded."""
        length = {} if self.length is None else {"CONTENT_LENGTH": self.length}
        return {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": self.query.decode("latin-1"),
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **length,
            **self.headers,
        }


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response to a request, and the text that was logged during the request."""

    status: int
    headers: dict[str, str]
    body: bytes
    logged: str


class WSGIClient:
    """Send requests to Django's WSGI handler, with the middleware of the settings."""

    def __init__(self) -> None:
        self._handler = WSGIHandler()

    def send(self, request: Request) -> Response:
        """Send a request, and return the response."""
        head: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            head.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))
            return io.BytesIO().write

        with capture_logs() as records, one_connection():
            response = self._handler(request.environ, start)
            body = b"".join(response)
            response.close()
        lines = [f"{record.getMessage()} {record.exc_text or ''}" for record in records]
        return Response(**head, body=body, logged="\n".join(lines))


@contextmanager
def capture_logs() -> Iterator[list[logging.LogRecord]]:
    """Collect log records of every level, with the formatted text of their tracebacks."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)
            records.append(record)

    collector = Collector()
    # Without a level of its own, Django's logger drops DEBUG records, such as the SQL statements of the database.
    levels = {logger: logger.level for logger in (logging.getLogger(), logging.getLogger("django"))}
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(collector)
    try:
        yield records
    finally:
        logging.getLogger().removeHandler(collector)
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def one_connection() -> Iterator[None]:
    """Keep the connection of the test open, as Django's test client does: the end of a request would close it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
