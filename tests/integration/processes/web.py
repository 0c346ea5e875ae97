"""Serve a project with gunicorn on a socket of the test, and run management commands with the same settings."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[3]
PATH = (ROOT, ROOT / "example_project")
UNUSED_URL = "http://127.0.0.1:9"


class Web:
    """A project that gunicorn serves in several processes.

    Args:
        folder: the directory for the signals that receivers record, and for the log.
        database: the ``DATABASE_URL``.
        messente: the base URL of the SMS API; that of the Omnichannel API is its path v1.
        send_api: the API by which the project sends.
        isolation: the isolation level of the database, such as "repeatable read"; "" for its default.
        workers: the number of gunicorn's worker processes, each with two threads.
        conn_max_age: seconds for which a database connection is kept open.
        die_at: the step at which one process kills itself, once; see `witness.signal_log`.
        preload: whether gunicorn imports the project once, so that a new worker starts immediately.
        interface: "wsgi" or "asgi".
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        *,
        messente: str = UNUSED_URL,
        send_api: str = "sms",
        isolation: str = "",
        workers: int = 3,
        conn_max_age: int = 60,
        die_at: str = "",
        preload: bool = False,
        interface: str = "wsgi",
    ) -> None:
        self.witness, self.log, self._once = folder / "witness", folder / "log", folder / "die-once"
        self.witness.touch()
        self._once.touch()
        self._workers = workers
        self._preload = ["--preload"] if preload else []
        self._application = f"django.core.{interface}:get_{interface}_application()"
        self._worker = ["--threads=2"] if interface == "wsgi" else ["--worker-class=asgi"]
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        # Coverage is not measured in these processes: at its end, each would parse all sources, which takes seconds.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self.environment = {
            **inherited,
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "tests.integration.processes.served",
            "PYTHONPATH": os.pathsep.join([*map(str, PATH), os.environ.get("PYTHONPATH", "")]),
            "DLR_CONN_MAX_AGE": str(conn_max_age),
            "DLR_DIE_AT": die_at,
            "DLR_DIE_ONCE": str(self._once),
            "DLR_ISOLATION": isolation,
            "DLR_LOG": str(self.log),
            "DLR_MESSENTE": messente,
            "DLR_SEND_API": send_api,
            "DLR_URL": self.url,
            "DLR_WITNESS": str(self.witness),
        }
        self._gunicorn: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "gunicorn", self._application]
        command += [f"--workers={self._workers}", *self._worker, f"--bind=fd://{self._socket.fileno()}"]
        command += [
            *self._preload,
            "--log-level=warning",
            "--graceful-timeout=5",
            "--timeout=120",
            "--no-control-socket",
        ]
        output = self.log.open("ab")
        self._gunicorn = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            pass_fds=[self._socket.fileno()],
            stdout=output,
            stderr=output,
        )
        output.close()
        try:
            wait_until(self._is_up, timeout=120)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop gunicorn and its workers."""
        assert self._gunicorn is not None
        self._gunicorn.terminate()
        try:
            self._gunicorn.wait(30)
        except subprocess.TimeoutExpired:
            self._gunicorn.kill()
            self._gunicorn.wait(30)
        self.close()

    def close(self) -> None:
        """Close the socket. Call it if gunicorn was not started."""
        self._socket.close()

    def _is_up(self) -> bool:
        assert self._gunicorn is not None
        assert self._gunicorn.poll() is None, self.log.read_text()
        # The socket already listens, so a request waits until a worker has started.
        with suppress(OSError), urlopen(f"{self.url}/admin/login/", timeout=5) as response:
            return bool(response.status == 200)
        return False

    @property
    def workers(self) -> list[int]:
        """Return the process ids of the running workers."""
        assert self._gunicorn is not None
        children = Path(f"/proc/{self._gunicorn.pid}/task/{self._gunicorn.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def reload(self) -> None:
        """Make gunicorn replace its workers, as a deployment does, and wait until the old ones have ended."""
        assert self._gunicorn is not None
        old_workers = set(self.workers)
        os.kill(self._gunicorn.pid, signal.SIGHUP)
        wait_until(lambda: len(self.workers) == self._workers and not old_workers & set(self.workers))

    def kill_a_worker(self) -> int | None:
        """Kill the oldest worker with SIGKILL, wait until it is dead, and return its process id or None.

        None means that no worker was running. gunicorn starts another worker.
        """
        pid = next(iter(self.workers), None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pid not in self.workers)
        return pid

    def manage(self, *arguments: str, check: bool = True, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a management command in a new process."""
        command = [sys.executable, "-m", "django", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=check
        )

    def count_signals(self) -> Counter[tuple[str, str]]:
        """Return how often receivers were called so far, by signal name and the primary key of the report."""
        return Counter((name, report) for name, report, *_ in self._signals())

    def last_signalled(self, pid: int, within: float) -> set[str]:
        """Return the primary keys of the reports whose signals a process sent last.

        Args:
            pid: the id of the process.
            within: seconds before the last signal of the process.
        """
        times = [(report, float(sent_at)) for _, report, _, sender, sent_at in self._signals() if sender == str(pid)]
        return {report for report, sent_at in times if times[-1][1] - sent_at <= within}

    def _signals(self) -> Iterator[list[str]]:
        return map(str.split, self.witness.read_text().splitlines())


def wait_until(condition: Callable[[], bool], *, timeout: float = 60.0) -> None:
    """Wait until a condition is true. Fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "The condition did not become true in time."
        time.sleep(0.05)
