"""A project's side of the callbacks, as plain as can be: it notes what comes and answers as it is told to."""

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
class Received:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass
class Receiver:
    """Listens on a free port while it is entered.

    Attributes:
        answers: the statuses of the first answers; the ones after them are 200.
        held: whether answers wait until `release`.
    """

    answers: list[int] = field(default_factory=list)
    held: bool = False
    received: list[Received] = field(default_factory=list)
    arrivals: Queue[Received] = field(default_factory=Queue)
    release: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                receiver.take(self)

            do_POST = do_GET  # noqa: N815 - http.server finds it by this name

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *args: Any) -> None:
                """Whoever gave up waiting is not here to be answered."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.lock = threading.Lock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/dlr/a-secret-token/"

    def next(self) -> Received:
        """Wait for the next callback."""
        return self.arrivals.get(timeout=WAIT)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        received = Received(
            handler.command, parts.path, parts.query, {k.lower(): v for k, v in handler.headers.items()}, body
        )
        with self.lock:
            self.received.append(received)
            status = self.answers.pop(0) if self.answers else 200
        self.arrivals.put(received)
        if self.held:
            self.release.wait(WAIT)
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", "/elsewhere/")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"OK")
