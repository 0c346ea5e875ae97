"""The served project: gunicorn with several workers on a socket of the test's, and commands beside it."""

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
NOBODY = "http://127.0.0.1:9"


class Web:
    """A project that is served by real processes.

    Args:
        folder: where what it hears and logs is written.
        database: its ``DATABASE_URL``.
        messente: the base URL of the SMS API.
        workers: gunicorn's worker processes, each with two threads.
        conn_max_age: seconds for which a connection to the database is kept.
        die_at: the step at which one worker dies, once; see the witness.
        preload: whether the project is imported once, so that a new worker is there at once.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        *,
        messente: str = NOBODY,
        workers: int = 3,
        conn_max_age: int = 60,
        die_at: str = "",
        preload: bool = False,
    ) -> None:
        self.witness, self.log, self._once = folder / "witness", folder / "log", folder / "die-once"
        self.witness.touch()
        self._once.touch()
        self._workers = workers
        self._preload = ["--preload"] if preload else []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "tests.integration.processes.served",
            "PYTHONPATH": os.pathsep.join([*map(str, PATH), os.environ.get("PYTHONPATH", "")]),
            "DLR_CONN_MAX_AGE": str(conn_max_age),
            "DLR_DIE_AT": die_at,
            "DLR_DIE_ONCE": str(self._once),
            "DLR_LOG": str(self.log),
            "DLR_MESSENTE": messente,
            "DLR_URL": self.url,
            "DLR_WITNESS": str(self.witness),
        }
        self._gunicorn: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"]
        command += [f"--workers={self._workers}", "--threads=2", f"--bind=fd://{self._socket.fileno()}"]
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
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End gunicorn and its workers."""
        assert self._gunicorn is not None
        self._gunicorn.terminate()
        try:
            self._gunicorn.wait(30)
        except subprocess.TimeoutExpired:
            self._gunicorn.kill()
            self._gunicorn.wait(30)
        self.close()

    def close(self) -> None:
        """Give the address back, where nothing was served."""
        self._socket.close()

    def _is_up(self) -> bool:
        assert self._gunicorn is not None
        assert self._gunicorn.poll() is None, self.log.read_text()
        # The socket listens already: a request waits until a worker has come up.
        with suppress(OSError), urlopen(f"{self.url}/admin/login/", timeout=5) as response:
            return bool(response.status == 200)
        return False

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers that are running."""
        assert self._gunicorn is not None
        children = Path(f"/proc/{self._gunicorn.pid}/task/{self._gunicorn.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def reload(self) -> None:
        """Have gunicorn start new workers and let the old ones end, as a deployment does; wait until that is done."""
        assert self._gunicorn is not None
        old = set(self.workers)
        os.kill(self._gunicorn.pid, signal.SIGHUP)
        wait_until(lambda: len(self.workers) == self._workers and not old & set(self.workers))

    def kill_a_worker(self) -> int | None:
        """Have the oldest worker die as by ``kill -9``; return its process id once it is dead, None if there is none.

        gunicorn starts another.
        """
        pid = next(iter(self.workers), None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pid not in self.workers)
        return pid

    def manage(self, *arguments: str, check: bool = True, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a management command in a process of its own."""
        command = [sys.executable, "-m", "django", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=check
        )

    def heard(self) -> Counter[tuple[str, str]]:
        """What receivers have heard so far: how often each signal for each report's primary key."""
        return Counter((name, report) for name, report, *_ in self._told())

    def told_last(self, pid: int, within: float) -> set[str]:
        """The primary keys of the reports that a process has told of within its last seconds of telling."""
        told = [(report, float(at)) for _, report, _, teller, at in self._told() if teller == str(pid)]
        return {report for report, at in told if told[-1][1] - at <= within}

    def _told(self) -> Iterator[list[str]]:
        return map(str.split, self.witness.read_text().splitlines())


def wait_until(condition: Callable[[], bool], *, timeout: float = 60.0) -> None:
    """Wait until a condition holds; fail if it does not within a generous time."""
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, "It did not come about."
        time.sleep(0.05)
