"""``manage.py`` in a process of its own, with a project's settings, as a shell or systemd starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def django_admin(*arguments: str) -> list[str]:
    """Return the command that does what ``manage.py`` does."""
    return [sys.executable, "-m", "django", *arguments]


def environment(folder: Path, settings: str = "tests.settings") -> dict[str, str]:
    """Return what such a process finds: a database file and modules in ``folder``, and the settings' name."""
    paths = [str(folder), str(ROOT), str(ROOT / "example_project"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'a.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(paths),
    }


def run(*arguments: str, folder: Path, settings: str = "tests.settings") -> subprocess.CompletedProcess[str]:
    """Run a command of Django's to its end, and return what it said and its exit status."""
    return subprocess.run(
        django_admin(*arguments),
        env=environment(folder, settings),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
