"""Run gunicorn with or without a receiver on every signal, and with or without the fast path."""

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
def server(shape: str, *, receivers: bool, fast_path: bool = True) -> Iterator[int]:
    """Run gunicorn and yield its port.

    Args:
        shape: one of `SHAPES`.
        receivers: whether a receiver is connected to every signal.
        fast_path: whether the fast path is on.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "benchmarks.receive.wsgi", "--bind", f"127.0.0.1:{port}"]
    switches = {"BENCH_RECEIVERS": receivers, "BENCH_FAST_PATH": fast_path}
    environment = {**os.environ, **{name: str(int(value)) for name, value in switches.items()}}
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
    raise TimeoutError("gunicorn did not accept a connection within 30 seconds.")
