"""A load generator: send requests over several connections, one request at a time on each.

It runs in its own process and does little work itself: it gets the requests as bytes, built before the clock starts.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Connection:
    """One connection to the server, opened again after the server closes it."""

    port: int
    selector: selectors.BaseSelector
    sock: socket.socket | None = None
    began: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes) -> None:
        self.began = time.perf_counter()
        self.received.clear()
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(self.sock, selectors.EVENT_READ, self)
        self.sock.sendall(request)

    def receive(self) -> int | None:
        """Return the HTTP status if the response is complete, otherwise None; 0 if the server sent no response."""
        assert self.sock is not None
        chunk = self.sock.recv(65536)
        self.received += chunk
        head, separator, body = bytes(self.received).partition(b"\r\n\r\n")
        lower = head.lower()
        if not chunk:
            self.close()
            return int(head.split(b" ", 2)[1]) if separator else 0
        if not separator:
            return None
        length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return None
        if b"connection: close" in lower:
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        assert self.sock is not None
        self.selector.unregister(self.sock)
        self.sock.close()
        self.sock = None


def load(requests: list[bytes], *, port: int, connections: int) -> dict[str, object]:
    """Send all requests; return the total time (s), the latencies (s) and the count of each HTTP status.

    Raises:
        TimeoutError: no response for 30 seconds.
    """
    selector = selectors.DefaultSelector()
    remaining = iter(requests)
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    began = time.perf_counter()
    for _, request in zip(range(connections), remaining, strict=False):
        Connection(port, selector).send(request)
    while len(latencies) < len(requests):
        events = selector.select(timeout=30)
        if not events:
            raise TimeoutError("The server sent no response for 30 seconds.")
        for key, _ in events:
            connection: Connection = key.data
            status = connection.receive()
            if status is None:
                continue
            latencies.append(time.perf_counter() - connection.began)
            statuses[status] = statuses.get(status, 0) + 1
            if (request := next(remaining, None)) is not None:
                connection.send(request)
    return {"elapsed": time.perf_counter() - began, "latencies": latencies, "statuses": statuses}


if __name__ == "__main__":
    content = Path(sys.argv[1]).read_bytes()
    sys.stdout.write(json.dumps(load(content.split(b"\0")[:-1], port=int(sys.argv[2]), connections=int(sys.argv[3]))))
