"""Run a test at each isolation level that a project may configure.

At most levels a transaction sees only the rows that were committed before it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

from django.db import connection, transaction

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
        elsewhere(lambda: _assert_level(name))
        yield
    connection.close()


def elsewhere(work: Callable[[], object]) -> None:
    """Call a function in another thread, on its own connection, and wait until it returns.

    Args:
        work: the function.
    """

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(GENEROUS)


def _assert_level(name: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LEVEL_QUERIES[connection.vendor])
        assert cursor.fetchone()[0] == name
