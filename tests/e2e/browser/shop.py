"""Run the example shop for a browser: the messages of its demo, a web server and a Messente sandbox."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
MANAGE = ROOT / "example_project" / "manage.py"
USER, PASSWORD = "demo", "only-this-test-knows-it"


@dataclass(frozen=True, slots=True)
class Shop:
    """The running shop.

    Attributes:
        url: the base URL, without the final slash.
        database: the SQLite file.
    """

    url: str
    database: Path

    def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Execute SQL on the database directly, and return the rows."""
        connection = sqlite3.connect(self.database, timeout=20)
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


@contextmanager
def open_shop(folder: Path, settings: str = "config.settings") -> Iterator[Shop]:
    """Run the demo once, then serve its database. No poller runs, so only the admin polls.

    Args:
        folder: where to write the database and the logs.
        settings: the settings module of the shop.
    """
    site, sandbox = _free_port(), _free_port()
    database = folder / "shop.sqlite3"
    environment = {
        **os.environ,
        "SHOP_DATABASE": str(database),
        "SHOP_URL": f"http://127.0.0.1:{site}",
        "SHOP_SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
        "SHOP_SECRET_KEY": "a key for this test only, long enough to pass the deployment checks of Django",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "example_project")]),
    }

    def manage(*arguments: str) -> list[str]:
        return [sys.executable, str(MANAGE), *arguments]

    demo = manage("demo", "--once", "--port", str(site), "--sandbox-port", str(sandbox))
    subprocess.run(demo, env=environment, check=True, timeout=180, stdout=subprocess.DEVNULL)
    user = manage("createsuperuser", "--noinput", "--username", USER, "--email", "demo@example.com")
    subprocess.run(user, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        for arguments in (
            ("messente_sandbox", "--port", str(sandbox)),
            ("runserver", "--noreload", "--insecure", f"127.0.0.1:{site}"),
        ):
            log = stack.enter_context((folder / f"{arguments[0]}.log").open("w"))
            process = subprocess.Popen(manage(*arguments), env=environment, stdout=log, stderr=log)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
        for port in (site, sandbox):
            _wait_for(port)
        yield Shop(f"http://127.0.0.1:{site}", database)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return  # any HTTP response shows that the server is up
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
