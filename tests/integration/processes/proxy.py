"""A TCP proxy in front of a database server. It simulates a server that is stopped, starting or stuck."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

Address = tuple[str, int] | str


class Proxy:
    """Forward bytes between clients and a server. While the proxy is away, it refuses connections.

    Args:
        upstream: the host and port of the server, or the path of its Unix socket.

    Attributes:
        port: the port on which the proxy listens.
        tries: the number of connections that clients have made.
    """

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closes_new_connections = False
        self._forwarding = threading.Event()
        self._forwarding.set()
        self.port = self.tries = 0

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.go_away()
        self.speak_again()

    def come_back(self) -> None:
        """Listen again, on the same port as before."""
        self._closes_new_connections = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def go_away(self) -> None:
        """Close every connection and refuse new ones, as a stopped server does."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _close(listener)
        with self._lock:
            for sock in self._sockets:
                _close(sock)
            self._sockets.clear()

    def turn_away(self) -> None:
        """Close every connection, and each new one immediately, as a starting server does."""
        self.go_away()
        self.come_back()
        self._closes_new_connections = True

    def fall_silent(self) -> None:
        """Keep every connection and accept new ones, but forward no bytes, as with a stuck server."""
        self._forwarding.clear()

    def speak_again(self) -> None:
        """Forward bytes again, and first those that were received in the meantime."""
        self._forwarding.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.tries += 1
            if self._closes_new_connections:
                _close(client)
                continue
            server = socket.socket(socket.AF_UNIX if isinstance(self._upstream, str) else socket.AF_INET)
            server.connect(self._upstream)
            with self._lock:
                if listener is not self._listener:
                    _close(client)
                    _close(server)
                    return
                self._sockets |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._forwarding.wait()
                target.sendall(data)
        with self._lock:
            for sock in (source, target):
                _close(sock)
                self._sockets.discard(sock)


def _close(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
