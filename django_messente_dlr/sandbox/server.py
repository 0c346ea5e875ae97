"""HTTP server of the sandbox: `Request`, `Answer`, the `Handler` that reads and writes them, and the `Server`.

The handler answers what it cannot parse (400, 411, 413) and passes every other request to the server's ``answer``.
The connection stays open after the answer.
"""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

MAX_BODY = 262_144
# So much of a body that is too long is read and thrown away, so that the client gets to read why it is refused.
MAX_DRAINED = 16_777_216
# Seconds after which a silent connection is given up.
IDLE_TIMEOUT = 60.0
LENGTH = re.compile(r"[0-9]{1,12}", re.ASCII)
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asked for.

    Attributes:
        method: the HTTP method.
        path: the URL's path, without its last slash.
        query: the URL's query string, still percent-encoded.
        body: the body.
        content_type: the body's media type, in lower case and without parameters.
        authorization: the header Authorization.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    content_type: str = ""
    authorization: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the sandbox answers.

    Attributes:
        body: the text to send.
        status: the HTTP status.
        content_type: the text's media type.
        headers: further headers.
        endpoint: the sandbox's name for what was called, for the line that is shown about it.
        recipient: the number of the message that it is about, for the same line.
        summary: what is answered, in a word or two and without ids, for the same line.
        times_out: whether it is held back until the client has given up.
        then: what is to be done when it is on its way.
    """

    body: str
    status: int = 200
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()
    endpoint: str = "an unknown path"
    recipient: str = ""
    summary: str = ""
    times_out: bool = False
    then: Callable[[], None] | None = None


def plain(text: str, *, recipient: str = "") -> Answer:
    """Return an answer in plain text.

    Args:
        text: the text. ``HTTP`` and a number stands for an answer with that status and nothing more to say.
        recipient: as in `Answer`.
    """
    status = 200
    word, _, number = text.partition(" ")
    if word == "HTTP":
        status, text = int(number), HTTPStatus(int(number)).phrase
    return Answer(body=text, status=status, summary=text, recipient=recipient)


class UnreadableRequestError(Exception):
    """A request that cannot be read, with the HTTP status that says so."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """Serves one connection, request after request."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "MessenteSandbox"
    sys_version = ""
    timeout = IDLE_TIMEOUT
    # Head and body go out as one: in two small packets, the second would wait for the client's acknowledgement.
    wbufsize = -1

    def serve(self) -> None:
        """Answer one request."""
        with self.server.busy():
            try:
                request = self._read()
            except UnreadableRequestError as exc:
                # What follows on this connection cannot be told from the rest of the body.
                self.close_connection = True
                self._write(Answer(body=str(exc), status=exc.status, headers=(("Connection", "close"),)))
                return
            answer = self.server.answer(request)
            if answer.times_out:
                self._go_on(answer)
                self.server.hold()
                self._write(answer)
                return
            try:
                self._write(answer)
            finally:
                self._go_on(answer)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = serve  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the request line may hold a password. The sandbox writes its own lines."""

    def _read(self) -> Request:
        if "Transfer-Encoding" in self.headers:
            raise UnreadableRequestError(411, "Send the body with a Content-Length.")
        told = self.headers.get("Content-Length", "0")
        if not LENGTH.fullmatch(told):
            raise UnreadableRequestError(400, "The Content-Length is not a number.")
        length = int(told)
        if length > MAX_BODY:
            self._drain(min(length, MAX_DRAINED))
            raise UnreadableRequestError(413, f"A body may have {MAX_BODY} bytes.")
        body = self.rfile.read(length)
        if len(body) < length:
            raise UnreadableRequestError(400, "The body ends too early.")
        try:
            parts = urlsplit(self.path)
        except ValueError:
            raise UnreadableRequestError(400, "The URL cannot be read.") from None
        return Request(
            method=self.command,
            path=parts.path.removesuffix("/"),
            query=parts.query,
            body=body,
            content_type=self.headers.get_content_type() if "Content-Type" in self.headers else "",
            authorization=self.headers.get("Authorization", ""),
        )

    def _drain(self, length: int) -> None:
        while length > 0 and (chunk := self.rfile.read(min(length, MAX_BODY))):
            length -= len(chunk)

    @staticmethod
    def _go_on(answer: Answer) -> None:
        if answer.then:
            answer.then()

    def _write(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Listens on one address.

    Args:
        address: host and port to listen on; port 0 takes a free one.
        answer: makes the answer to a request.
        busy: entered around each request, from reading it to the end of what follows its answer.
        hold: waits as long as an answer is to hang.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        *,
        answer: Callable[[Request], Answer],
        busy: Callable[[], AbstractContextManager[None]],
        hold: Callable[[], None],
    ) -> None:
        self.answer = answer
        self.busy = busy
        self.hold = hold
        self._open: set[Any] = set()
        self._changed = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind as any TCP server does: the HTTP server's own asks the name service, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def hang_up(self, *, timeout: float) -> None:
        """End the connections that clients keep open, and wait up to ``timeout`` seconds for their threads."""
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away; show a traceback of everything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
