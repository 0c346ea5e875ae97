"""Run management commands in a new process, as a shell or systemd does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def django_admin(*arguments: str) -> list[str]:
    """Return the command line that is equivalent to ``manage.py``.

    Args:
        arguments: the management command and its arguments.
    """
    return [sys.executable, "-m", "django", *arguments]


def environment(folder: Path, settings: str = "tests.settings") -> dict[str, str]:
    """Return the environment of the process.

    Args:
        folder: the directory for the SQLite database, which is also on PYTHONPATH.
        settings: the name of the settings module.
    """
    paths = [str(folder), str(ROOT), str(ROOT / "example_project"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'a.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(paths),
    }


def run(*arguments: str, folder: Path, settings: str = "tests.settings") -> subprocess.CompletedProcess[str]:
    """Run a management command, and return its output and exit status.

    Args:
        arguments: the management command and its arguments.
        folder: see `environment`.
        settings: see `environment`.
    """
    return subprocess.run(
        django_admin(*arguments),
        env=environment(folder, settings),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
