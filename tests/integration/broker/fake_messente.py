"""A fake of Messente's SMS API that reports every message as delivered and records each status request."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs


class FakeMessente:
    """Serve on a free port of the loopback interface within a ``with`` statement.

    Attributes:
        request_times: the times of the status requests, in seconds of the monotonic clock, for each message id.
    """

    def __init__(self) -> None:
        self.request_times: dict[str, list[float]] = defaultdict(list)
        lock, request_times = threading.Lock(), self.request_times

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # With Nagle's algorithm the response's body waits until the client acknowledges the headers.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with lock:
                    request_times[parse_qs(body)["sms_unique_id"][0]].append(time.monotonic())
                response = b"OK DELIVERED"
                self.send_response(200)
                self.send_header("Content-Length", str(len(response)))
                self.end_headers()
                self.wfile.write(response)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def request_count(self) -> int:
        return sum(map(len, list(self.request_times.values())))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
