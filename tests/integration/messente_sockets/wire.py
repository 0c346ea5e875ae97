"""A server on the loopback address whose behaviour for each connection is chosen by the test. It never sleeps."""

from __future__ import annotations

import gc
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

# The limit in seconds for any wait. It is reached only by a defect, which would block the tests without it.
PATIENCE = 30.0
# Seconds between the bytes of a response without an end.
DRIP_INTERVAL = 0.02


class Connection:
    """One accepted connection: reads requests and sends responses."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    def request(self) -> bytes | None:
        """Return the next complete request, or None if the client has closed the connection."""
        while (size := self._size()) is None or len(self._buffer) < size:
            chunk = self.sock.recv(65536)
            if not chunk:
                return None
            self._buffer += chunk
        request, self._buffer = self._buffer[:size], self._buffer[size:]
        return request

    def answer(self, body: bytes, *, header: bytes = b"") -> None:
        head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (header, len(body))
        self.sock.sendall(head + body)

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _size(self) -> int | None:
        head, end, _ = self._buffer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
        return len(head + end) + (int(length[1]) if length else 0) if end else None


class Wire:
    """Listen while the context is active. Each connection is handled by a thread that runs the given behaviour.

    Attributes:
        requests: the received requests.
        accepted: the number of connections so far.
        closed: set when the client or the server has closed a connection.
        ending: set at the end of the context.
        dripping: set when the first byte of a response without an end is sent.
        exhausted: set when such a response has ended after all, because the client has waited too long.
    """

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.requests: list[bytes] = []
        self.accepted = 0
        self.closed = threading.Event()
        self.ending = threading.Event()
        self.dripping = threading.Event()
        self.exhausted = threading.Event()

    @property
    def host(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        # close() alone does not interrupt accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # urllib3 closes a pool's connections when the pool is deleted. A traceback can still refer to the pool.
        if any(thread.is_alive() for thread in self._threads):
            gc.collect()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the client left a connection open"

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(PATIENCE)
            # In some tests the client closes the connection early.
            with suppress(OSError):
                if self._tls is None:
                    self._behave(self, Connection(sock))
                else:
                    with self._tls.wrap_socket(sock, server_side=True) as secure:
                        self._behave(self, Connection(secure))
        self.closed.set()


Behaviour = Callable[[Wire, Connection], None]


def answering(body: bytes = b"OK 1", *, header: bytes = b"", requests: int = 0) -> Behaviour:
    """Answer every request until the client closes the connection or ``requests`` requests are answered."""

    def behave(wire: Wire, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            wire.requests.append(request)
            connection.answer(body, header=header)
            if len(wire.requests) == requests:
                return

    return behave


def raw(answer: bytes) -> Behaviour:
    """Read one request, send these bytes and close the connection."""

    def behave(wire: Wire, connection: Connection) -> None:
        wire.requests.append(connection.request() or b"")
        connection.sock.sendall(answer)

    return behave


def endless(head: bytes) -> Behaviour:
    """Read one request and send response data until the client closes the connection."""

    def behave(wire: Wire, connection: Connection) -> None:
        wire.requests.append(connection.request() or b"")
        connection.sock.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        chunked = b"chunked" in head
        while True:
            connection.sock.sendall(b"2800\r\n" + b"1" * 0x2800 + b"\r\n" if chunked else b"1" * 0x2800)

    return behave


def dripping(start: bytes, drip: bytes) -> Behaviour:
    """Send ``start``, then ``drip`` every few milliseconds, until the client or the context ends the connection.

    A client without a deadline waits for the end, which comes after `PATIENCE`.
    """

    def behave(wire: Wire, connection: Connection) -> None:
        connection.sock.sendall(start)
        for _ in range(int(PATIENCE / DRIP_INTERVAL)):
            if wire.ending.wait(DRIP_INTERVAL):
                return
            connection.sock.sendall(drip)
            wire.dripping.set()
        wire.exhausted.set()

    return behave


# Responses without an end. They exceed no read time-out.
DRIPS_IN_HEAD: dict[str, Behaviour] = {
    "drips the status line": dripping(b"HTTP/1.1 200 ", b"O"),
    "drips a header": dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"1"),
    "drips a redirect": dripping(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/", b"1"),
    "drips interim responses": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
DRIPS_IN_BODY: dict[str, Behaviour] = {
    "drips a body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nOK ", b"1"),
    "drips a body without a length": dripping(b"HTTP/1.1 200 OK\r\n\r\nOK ", b"1"),
    "drips chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n"),
    "drips the size of a chunk": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "drips an error": dripping(b"HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n", b"1"),
}
# The first bytes of a TLS record of 16 KiB.
drip_handshake = dripping(b"\x16\x03\x03\x40\x00", b"\x02")


def hanging_up(wire: Wire, connection: Connection) -> None:
    """Close the connection without reading the request."""


def resetting(wire: Wire, connection: Connection) -> None:
    """Read one request and reset the connection."""
    wire.requests.append(connection.request() or b"")
    connection.reset()


def silent(wire: Wire, connection: Connection) -> None:
    """Read requests without answering until the client closes the connection."""
    while (request := connection.request()) is not None:
        wire.requests.append(request)


def silent_at_first(wire: Wire, connection: Connection) -> None:
    """Answer no request of the first connection, and all requests of the others."""
    (silent if wire.accepted == 1 else answering())(wire, connection)
