"""The listening side of the sandbox: one address in, a thread for each connection, and a clean end of them all."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import ThreadingHTTPServer
from typing import Any

from django_messente_dlr.sandbox.web import Answer, Handler, Request


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
