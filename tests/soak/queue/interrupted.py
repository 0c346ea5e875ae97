"""What a night interrupts: the workers, the local Messente, and the database server."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.db import Error, connection

from django_messente_dlr.sandbox import Sandbox
from tests.integration.processes.web import ROOT, Web

Value = TypeVar("Value")
ACCOUNT = {"shop": "a-password"}
DOWN = 1.0  # seconds without Messente in a restart


class Messente:
    """A local Messente that can restart.

    Attributes:
        accepted: the number of messages that were accepted before the last restart or stop, by recipient.
        restarts: the number of restarts.
    """

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self.restarts = 0
        self._sandbox = Sandbox(ACCOUNT).start()
        self.url = self._sandbox.url

    @property
    def count(self) -> int:
        """The number of messages accepted so far."""
        return self.accepted.total() + sum(self._sandbox.accepted.values())

    def restart(self) -> None:
        """Stop, and start at the same address a moment later."""
        self.stop()
        time.sleep(DOWN)
        self._sandbox = Sandbox(ACCOUNT, port=int(self.url.rpartition(":")[2])).start()
        self.restarts += 1

    def stop(self) -> None:
        """Stop, and keep the counts."""
        self._sandbox.stop()
        self.accepted.update(self._sandbox.accepted)


class Workers:
    """Processes with ``send_queued --watch``."""

    def __init__(self, web: Web, *, count: int, rate: float) -> None:
        self._web, self._count = web, count
        arguments = ["send_queued", "--watch=0.5", f"--rate={rate}", "--verbosity=0"]
        self._command = [sys.executable, "-m", "django", *arguments]
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_missing(self) -> None:
        """Start a process for each that was killed."""
        self._processes = [process for process in self._processes if process.poll() is None]
        while len(self._processes) < self._count:
            with self._web.log.open("ab") as log:
                self._processes.append(
                    subprocess.Popen(self._command, cwd=ROOT, env=self._web.environment, stdout=log, stderr=log)
                )

    def kill_one(self, chance: random.Random) -> int:
        """Kill a process by SIGKILL, and return its id."""
        victim = chance.choice(self._processes)
        victim.kill()
        victim.wait(60)
        return victim.pid

    def stop(self) -> None:
        """End all processes by SIGTERM, which records the answers under way."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)


def retried(function: Callable[[], Value]) -> Value:
    """Return the result of a function that reads the database, which may be restarting."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return function()
        except Error:
            assert time.monotonic() < deadline, "The database is away for two minutes."
            connection.close()
            time.sleep(0.5)


def keep_commits() -> None:
    """Let PostgreSQL hand each commit to the operating system, so that a crash of the server does not lose it.

    A process that is killed can leave half of a page, which only a copy of the whole page in the log restores.
    """
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET synchronous_commit = on")
        cursor.execute("ALTER SYSTEM SET full_page_writes = on")
        cursor.execute("SELECT pg_reload_conf()")


def crash_database() -> int:
    """Kill a process of PostgreSQL, so that the server ends all others and recovers; return the number of crashes."""

    def victim() -> int | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend' ORDER BY random()"
            )
            row = cursor.fetchone()
        return row[0] if row else None

    pid = retried(victim)
    if pid is None or "postgres" not in Path(f"/proc/{pid}/cmdline").read_text():
        return 0
    os.kill(pid, signal.SIGKILL)
    return 1
