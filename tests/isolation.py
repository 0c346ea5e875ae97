"""Run a test at each isolation level that a project may configure.

At most levels a transaction sees only the rows that were committed before it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.locking import GENEROUS

# For each vendor and level: the additional OPTIONS of the database. Django's default is READ COMMITTED for both.
LEVELS: dict[str, dict[str, dict[str, object]]] = {
    "postgresql": {
        "read committed": {},
        "repeatable read": {"isolation_level": 3},  # the values of psycopg.IsolationLevel
        "serializable": {"isolation_level": 4},
    },
    "mysql": {
        "read committed": {},
        "repeatable read": {"isolation_level": "repeatable read"},
        # The default from MariaDB 11.6: an UPDATE of a row that changed after the snapshot fails.
        "snapshot": {"isolation_level": "repeatable read", "init_command": "SET innodb_snapshot_isolation = ON"},
    },
    "sqlite": {"serializable": {}},
}
LEVEL_QUERIES = {
    "postgresql": "SELECT current_setting('transaction_isolation')",
    "mysql": "SELECT IF(@@innodb_snapshot_isolation, 'snapshot', LOWER(REPLACE(@@tx_isolation, '-', ' ')))",
}


@contextmanager
def isolated(name: str) -> Iterator[None]:
    """Set the isolation level of every connection that is opened in the context.

    Args:
        name: a key of `LEVELS` for the database's vendor.
    """
    settings = connection.settings_dict
    with mock.patch.dict(settings, OPTIONS={**settings["OPTIONS"], **LEVELS[connection.vendor][name]}):
        connection.close()
        _assert_level(name)
        run_on_other_connection(lambda: _assert_level(name))
        yield
    connection.close()


def close_connection() -> None:
    """Close the connection of a thread that ends, also one to an in-memory database, which Django's close() keeps.

    Python 3.13 warns about the latter when it is collected, in whatever test runs then.
    """
    BaseDatabaseWrapper.close(connection)


def run_on_other_connection(work: Callable[[], object]) -> None:
    """Call a function in another thread, on its own connection, and wait until it returns.

    Args:
        work: the function.

    Raises:
        TimeoutError: the function waits for a lock of the calling thread. It goes on in its thread.
    """

    def run() -> None:
        try:
            work()
        finally:
            close_connection()

    # Not a with statement, which would wait for the thread without a limit.
    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(run).result(GENEROUS)
    finally:
        pool.shutdown(wait=False)


def _assert_level(name: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LEVEL_QUERIES[connection.vendor])
        assert cursor.fetchone()[0] == name
