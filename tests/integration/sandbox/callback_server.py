"""An HTTP server in the place of a project's callback view: it stores each callback and returns a chosen status."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

WAIT = 10.0


@dataclass(frozen=True)
class ReceivedCallback:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass
class CallbackServer:
    """Listen on a free port inside the ``with`` statement.

    Attributes:
        statuses: the HTTP statuses of the first responses; later ones have 200.
        held: whether responses wait until `release` is set.
    """

    statuses: list[int] = field(default_factory=list)
    held: bool = False
    callbacks: list[ReceivedCallback] = field(default_factory=list)
    arrivals: Queue[ReceivedCallback] = field(default_factory=Queue)
    release: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        callback_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                callback_server.handle(self)

            do_POST = do_GET  # noqa: N815 - a name of the base class

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *args: Any) -> None:
                """Ignore clients that closed the connection before the response."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.lock = threading.Lock()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/dlr/a-secret-token/"

    def next(self) -> ReceivedCallback:
        """Wait for the next callback."""
        return self.arrivals.get(timeout=WAIT)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        callback = ReceivedCallback(handler.command, parts.path, parts.query, headers, body)
        with self.lock:
            self.callbacks.append(callback)
            status = self.statuses.pop(0) if self.statuses else 200
        self.arrivals.put(callback)
        if self.held:
            self.release.wait(WAIT)
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", "/elsewhere/")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"OK")
