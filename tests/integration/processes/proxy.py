"""A TCP proxy before a database's server, which can go away, fall silent, and come back."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

Address = tuple[str, int] | str


class Proxy:
    """Passes bytes between its clients and a server; refuses them while it is away.

    Args:
        upstream: the server: a host and a port, or the path of its Unix socket.

    Attributes:
        port: where it listens.
        tries: the connections that were made to it.
    """

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._turning_away = False
        self._speaking = threading.Event()
        self._speaking.set()
        self.port = self.tries = 0

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.go_away()
        self.speak_again()

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        self._turning_away = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def go_away(self) -> None:
        """Close every connection and refuse new ones, as a server does that is stopped."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _close(listener)
        with self._lock:
            for end in self._open:
                _close(end)
            self._open.clear()

    def turn_away(self) -> None:
        """Close every connection, and each new one at once, as a server does that is just starting."""
        self.go_away()
        self.come_back()
        self._turning_away = True

    def fall_silent(self) -> None:
        """Keep every connection and take new ones, and let no byte through, as a server does that is stuck."""
        self._speaking.clear()

    def speak_again(self) -> None:
        """Let through what has gathered meanwhile."""
        self._speaking.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.tries += 1
            if self._turning_away:
                _close(client)
                continue
            server = socket.socket(socket.AF_UNIX if isinstance(self._upstream, str) else socket.AF_INET)
            server.connect(self._upstream)
            with self._lock:
                if listener is not self._listener:
                    _close(client)
                    _close(server)
                    return
                self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._speaking.wait()
                target.sendall(data)
        with self._lock:
            for end in (source, target):
                _close(end)
                self._open.discard(end)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
