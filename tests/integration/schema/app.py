"""Run the tests' project as a WSGI application on the test's database connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from tests.security.wsgi import one_connection


class Application:
    """Django's WSGI handler.

    Attributes:
        prepare: a function that changes the environ of each request before it is handled.
    """

    def __init__(self) -> None:
        self._handler = WSGIHandler()
        self.prepare: Callable[[dict[str, Any]], None] = lambda environ: None

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.prepare(environ)
        with one_connection():
            parts = self._handler(environ, start)
            body = [b"".join(parts)]
            parts.close()
        return body
