"""The servers of a run, in processes of their own: a local Messente, and the project for the callbacks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fake_messente(delay: float, *, callbacks: bool) -> Iterator[str]:
    """Run a local Messente, and yield its URL.

    Args:
        delay: the milliseconds before each answer.
        callbacks: whether it reports each message.
    """
    command = [sys.executable, "-m", "benchmarks.queue.fake_messente", str(delay / 1000)]
    command += ["--callbacks"] if callbacks else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def project(listener: socket.socket, workers: int) -> Iterator[None]:
    """Serve the project with gunicorn.

    Args:
        listener: the socket to listen on.
        workers: the number of processes.
    """
    command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()", f"--workers={workers}"]
    command += ["--threads=2", f"--bind=fd://{listener.fileno()}", "--log-level=error", "--no-control-socket"]
    process = subprocess.Popen(command, pass_fds=[listener.fileno()], env=os.environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
