"""The isolation levels that a project may have set: at most of them a transaction sees what was there as it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

from django.db import connection, transaction

from tests.locking import GENEROUS

# By their names what to add to a database's OPTIONS: Django's own choice is READ COMMITTED for both.
LEVELS: dict[str, dict[str, dict[str, object]]] = {
    "postgresql": {
        "read committed": {},
        "repeatable read": {"isolation_level": 3},  # psycopg's numbers
        "serializable": {"isolation_level": 4},
    },
    "mysql": {
        "read committed": {},
        "repeatable read": {"isolation_level": "repeatable read"},
        # As MariaDB has it by itself from 11.6 on: an UPDATE of what has changed since is refused.
        "snapshot": {"isolation_level": "repeatable read", "init_command": "SET innodb_snapshot_isolation = ON"},
    },
    "sqlite": {"serializable": {}},
}
LEVEL_OF = {
    "postgresql": "SELECT current_setting('transaction_isolation')",
    "mysql": "SELECT IF(@@innodb_snapshot_isolation, 'snapshot', LOWER(REPLACE(@@tx_isolation, '-', ' ')))",
}


@contextmanager
def isolated(name: str) -> Iterator[None]:
    """Have every connection that is opened inside at the isolation level of this name."""
    settings = connection.settings_dict
    with mock.patch.dict(settings, OPTIONS={**settings["OPTIONS"], **LEVELS[connection.vendor][name]}):
        connection.close()
        _assert_level(name)
        elsewhere(lambda: _assert_level(name))
        yield
    connection.close()


def elsewhere(work: Callable[[], object]) -> None:
    """Do something on another connection, to its end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(GENEROUS)


def _assert_level(name: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LEVEL_OF[connection.vendor])
        assert cursor.fetchone()[0] == name
