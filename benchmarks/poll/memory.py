"""The peak memory of runs over few and many pending messages, answered «no report yet» at a socket that is none."""

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

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nFAILED 102"


class NoSocket:
    """What http.client takes for a connection to Messente."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    def sendall(self, data: bytes) -> None:
        """Forget what is asked."""

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(ANSWER)

    def fileno(self) -> int:
        return self._ours.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Never wait anyway."""

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def turn(name: str, limit: int | None) -> dict[str, float]:
    """Poll in this process, and return the questions asked, the seconds and the peak memory in MiB."""
    from urllib3.connection import HTTPConnection

    def connect(connection: Any) -> None:
        connection.sock = NoSocket()

    HTTPConnection.connect = connect  # type: ignore[method-assign]
    http.client.HTTPConnection.connect = connect  # type: ignore[method-assign]
    from django_messente_dlr.management.shutdown import until_signalled
    from django_messente_dlr.polling import Poller

    began, stop = time.perf_counter(), threading.Event()
    with until_signalled(stop):  # whoever has no more time for it still learns how far it came
        # Nobody is asked, so that nobody is asked too fast.
        summary = Poller(limit=limit, rate=1e6, stop=stop).run(sweeping=False)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"asked": summary.asked, "seconds": seconds, "memory": peak}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll memory", description=__doc__)
    parser.add_argument("--pending", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--limit", type=int, help="ask about so many of them only: all of a million takes long")
    parser.add_argument("--prefix", default="bench_", help="of the database that is made and dropped")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    name = options.turn or f"{options.prefix}memory"
    setup([name])
    if options.turn:
        print(json.dumps(turn(name, options.limit)))
        return
    print(machine())
    with databases([name]):
        for pending in options.pending:
            fill(name, count=pending, due=pending)
            limit = [f"--limit={options.limit}"] if options.limit else []
            command = [sys.executable, "-m", "benchmarks.poll", "memory", f"--turn={name}", *limit]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print(
                f"{pending:>9,} pending, {told['asked']:>9,.0f} asked about in {told['seconds']:.0f} s: "
                f"peak {told['memory']:.1f} MiB",
                flush=True,
            )
