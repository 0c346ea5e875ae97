"""A Messente in this process that says «delivered» to everything, and remembers when it was asked about what."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs


class Answering:
    """Serves on a free port of the loopback interface while it is entered.

    Attributes:
        asked: when (seconds of the monotonic clock) each id was asked about.
    """

    def __init__(self) -> None:
        self.asked: dict[str, list[float]] = defaultdict(list)
        lock, asked = threading.Lock(), self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the second part of an answer waits for the other side to confirm the first.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with lock:
                    asked[parse_qs(body)["sms_unique_id"][0]].append(time.monotonic())
                answer = b"OK DELIVERED"
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

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
    def questions(self) -> int:
        return sum(map(len, list(self.asked.values())))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
