"""Measure the peak memory of poll runs over few and many pending messages.

A stub in place of the socket answers "no report yet" to every request, without a network.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from benchmarks.poll.database import databases, fill, setup
from benchmarks.receive.table import machine

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nFAILED 102"


class StubSocket:
    """The part of a socket that http.client uses; every request gets `RESPONSE`."""

    def __init__(self) -> None:
        self._end, self._other_end = socket.socketpair()

    def sendall(self, data: bytes) -> None:
        """Discard the request."""

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(RESPONSE)

    def fileno(self) -> int:
        return self._end.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the response is available at once."""

    def close(self) -> None:
        self._end.close()
        self._other_end.close()


def measure(limit: int | None) -> dict[str, float]:
    """Poll in this process; return the number of requests, the time in seconds and the peak memory in MiB."""
    from urllib3.connection import HTTPConnection

    def connect(connection: Any) -> None:
        connection.sock = StubSocket()

    HTTPConnection.connect = connect  # type: ignore[method-assign]
    http.client.HTTPConnection.connect = connect  # type: ignore[method-assign]
    from django_messente_dlr.management.shutdown import until_signalled
    from django_messente_dlr.polling import Poller

    began, stop = time.perf_counter(), threading.Event()
    with until_signalled(stop):  # Ctrl-C ends the run early and still prints its numbers
        # The rate limit protects Messente; no request leaves this process.
        summary = Poller(limit=limit, rate=1e6, stop=stop).run(sweeping=False)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"polled": summary.asked, "seconds": seconds, "memory": peak}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll memory", description=__doc__)
    parser.add_argument("--pending", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--limit", type=int, help="poll at most this many messages: a whole million takes long")
    parser.add_argument("--prefix", default="bench_", help="prefix of the name of the new database")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    name = options.run or f"{options.prefix}memory"
    setup([name])
    if options.run:
        print(json.dumps(measure(options.limit)))
        return
    print(machine())
    with databases([name]):
        for pending in options.pending:
            fill(name, count=pending, due=pending)
            limit = [f"--limit={options.limit}"] if options.limit else []
            command = [sys.executable, "-m", "benchmarks.poll", "memory", f"--run={name}", *limit]
            result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print(
                f"{pending:>9,} pending, {result['polled']:>9,.0f} polled in {result['seconds']:.0f} s: "
                f"peak {result['memory']:.1f} MiB",
                flush=True,
            )
