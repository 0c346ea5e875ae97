"""The door as a WSGI server knows it: an environ goes in, through every middleware, and a response comes out.

Django's own test client writes only what is well-formed; a server hands on whatever came.
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
    """A request as it goes over the wire.

    Attributes:
        method: its method.
        path: its path, percent-encoded.
        query: what stands behind the question mark.
        body: its body.
        length: what it says of the body's length; None for nothing.
        headers: its other headers, as a WSGI environ names them.
    """

    method: str = "GET"
    path: bytes = b"/"
    query: bytes = b""
    body: bytes = b""
    length: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, Any]:
        """What a server makes of it: all bytes as latin-1, the path decoded."""
        told = {} if self.length is None else {"CONTENT_LENGTH": self.length}
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
            **told,
            **self.headers,
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: its status, its headers, its body, and what was logged meanwhile."""

    status: int
    headers: dict[str, str]
    body: bytes
    logged: str


class Door:
    """Django's own handler, with the middleware of the settings."""

    def __init__(self) -> None:
        self._handler = WSGIHandler()

    def ask(self, request: Request) -> Answer:
        """Have a request answered."""
        told: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            told.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))
            return io.BytesIO().write

        with logged() as records, one_connection():
            parts = self._handler(request.environ, start)
            body = b"".join(parts)
            parts.close()
        lines = [f"{record.getMessage()} {record.exc_text or ''}" for record in records]
        return Answer(**told, body=body, logged="\n".join(lines))


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Collect what is logged, at every level, with tracebacks as they would be printed."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)
            records.append(record)

    collector = Collector()
    # Django's own logger keeps its lowest lines, the database's among them, to itself.
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
    """Keep the test's connection, which a request would close, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
