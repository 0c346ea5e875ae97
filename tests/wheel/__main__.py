"""Try the built wheel: ``python -m tests.wheel DIRECTORY [REQUIREMENT …]``.

The directory contains one wheel. The script installs it with its required dependencies only, creates a project with
``startproject``, adds the app to it, and runs ``trial.py`` in the new environment. Warnings are errors.

A requirement, such as ``Django==5.2.3``, selects the version of a dependency. Without it, the newest is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

TRIAL = Path(__file__).with_name("trial.py")
SETTINGS = """
INSTALLED_APPS += ["django_messente_dlr"]
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
MESSENTE_DLR = {
    "USERNAME": "shop",
    "PASSWORD": "a-password",
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
    "SEND_API": "sms",
    "API_HOSTS": ["http://127.0.0.1:9"],  # no server listens there
    "OMNICHANNEL_URL": "http://127.0.0.1:9/v1",
}
"""
URLS = """
from django.urls import include

urlpatterns += [path("messente/", include("django_messente_dlr.urls"))]
"""


def run(*command: str | Path, folder: Path) -> None:
    """Run a command in a directory that does not contain this repository; raise CalledProcessError if it fails."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
    }
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300)


def main(dist: Path, requirements: Sequence[str]) -> None:
    """Install and try the wheel.

    Args:
        dist: the directory that contains the wheel.
        requirements: the versions to install of some dependencies.
    """
    (wheel,) = dist.resolve().glob("*.whl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = folder / "venv" / "bin" / "python"
        uv = shutil.which("uv") or "uv"
        run(uv, "venv", "--quiet", "--python", sys.executable, python.parents[1], folder=folder)
        run(uv, "pip", "install", "--quiet", "--python", python, wheel, *requirements, folder=folder)
        run(python, "-m", "django", "startproject", "shop", ".", folder=folder)
        with (folder / "shop" / "settings.py").open("a") as settings:
            settings.write(SETTINGS)
        with (folder / "shop" / "urls.py").open("a") as urls:
            urls.write(URLS)
        for command in (
            ["check", "--fail-level=WARNING"],
            ["makemigrations", "--check", "--dry-run"],
            ["migrate", "--verbosity=0"],
        ):
            run(python, "-W", "error", "manage.py", *command, folder=folder)
        run(python, "-W", "error", TRIAL, folder=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
