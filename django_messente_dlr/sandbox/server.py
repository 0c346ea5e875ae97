"""The HTTP server of the sandbox: the `Handler` of one connection, and the `Server` that listens.

The handler responds with 400, 411 or 413 to a request that it cannot parse, and passes every other request to the
server's ``respond``. The connection stays open after the response.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from django_messente_dlr.sandbox.http_types import Request, Response

# A bulk request of 1,000 omnimessages has about half of it.
MAX_BODY = 2_097_152
# A body over MAX_BODY is read and discarded up to this size. Otherwise the client would meet a closed connection
# while it still writes, and never read the response.
MAX_DRAINED = 16_777_216
# Seconds after which an idle connection is closed.
IDLE_TIMEOUT = 60.0
LENGTH = re.compile(r"[0-9]{1,12}", re.ASCII)


class UnreadableRequestError(Exception):
    """The request cannot be parsed; `status` is the HTTP status of the response."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """Serve one connection, one request after the other."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "MessenteSandbox"
    sys_version = ""
    timeout = IDLE_TIMEOUT
    # Buffer the output, so that headers and body go out together. As two small packets, the second would wait for
    # the client's acknowledgement of the first.
    wbufsize = -1

    def serve(self) -> None:
        """Respond to one request."""
        with self.server.busy():
            try:
                request = self._read()
            except UnreadableRequestError as exc:
                # The rest of the body cannot be separated from the next request, so the connection must close.
                self.close_connection = True
                self._write(Response(body=str(exc), status=exc.status, headers=(("Connection", "close"),)))
                return
            response = self.server.respond(request)
            if response.times_out:
                self._notify_sent(response)
                self.server.delay_response()
                self._write(response)
                return
            try:
                self._write(response)
            finally:
                self._notify_sent(response)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = serve  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - a name of the base class
        """Log nothing: the request line may contain a password. `log_lines` writes a line without it."""

    def _read(self) -> Request:
        if "Transfer-Encoding" in self.headers:
            raise UnreadableRequestError(411, "Send the body with a Content-Length.")
        content_length = self.headers.get("Content-Length", "0")
        if not LENGTH.fullmatch(content_length):
            raise UnreadableRequestError(400, "The Content-Length is not a number.")
        length = int(content_length)
        if length > MAX_BODY:
            self._drain(min(length, MAX_DRAINED))
            raise UnreadableRequestError(413, f"The body is larger than {MAX_BODY} bytes.")
        body = self.rfile.read(length)
        if len(body) < length:
            raise UnreadableRequestError(400, "The body is shorter than its Content-Length.")
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
    def _notify_sent(response: Response) -> None:
        if response.on_sent:
            response.on_sent()

    def _write(self, response: Response) -> None:
        body = response.body.encode()
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Listen on one address.

    Args:
        address: host and port to listen on; port 0 takes a free one.
        respond: returns the response to a request.
        busy: entered around each request, from reading it until its ``on_sent`` has returned.
        delay_response: blocks for the time by which a response that times out is late.

    Raises:
        OSError: the server cannot listen on the address.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        *,
        respond: Callable[[Request], Response],
        busy: Callable[[], AbstractContextManager[None]],
        delay_response: Callable[[], object],
    ) -> None:
        self.respond = respond
        self.busy = busy
        self.delay_response = delay_response
        self._connections: set[Any] = set()
        self._changed = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without `HTTPServer.server_bind`, whose DNS lookup of the host's name can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Record the connection as open, and serve it in a new thread."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and remove it from the open ones."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def close_connections(self, *, timeout: float) -> None:
        """Close the connections that clients keep open, and wait up to ``timeout`` seconds for their threads."""
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client closed it first
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnected; print a traceback of every other error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
