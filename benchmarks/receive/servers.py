"""gunicorn, once without receivers and once with a receiver for every signal."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

SHAPES = {
    "sync": ("--worker-class", "sync", "--workers", "2"),
    "threads": ("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
}


@contextlib.contextmanager
def server(shape: str, *, receivers: bool) -> Iterator[int]:
    """Run gunicorn in one of the shapes; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "benchmarks.receive.wsgi", "--bind", f"127.0.0.1:{port}"]
    environment = {**os.environ, "BENCH_RECEIVERS": "1" if receivers else "0"}
    process = subprocess.Popen([*command, "--log-level", "warning", *SHAPES[shape]], env=environment)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("gunicorn did not start.")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError("gunicorn did not answer within 30 seconds.")
