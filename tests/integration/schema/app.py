"""The tests' project as a WSGI application within a test: on the test's own connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from tests.security.wsgi import one_connection


class Application:
    """Django's own handler.

    Args:
        headers: returns further headers of a request, from its environ; None for none.
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
