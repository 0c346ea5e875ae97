"""Create contention on purpose: transactions that hold locks, and transactions that wait for them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.db import Error, connection, transaction

from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.utils import db_retry

GENEROUS = 30.0  # seconds; less than the 50 seconds after which MariaDB stops waiting for a lock
# For each vendor: the query for the number of connections that wait for a lock.
WAITING_QUERIES = {
    "postgresql": (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ),
    "mysql": (
        "SELECT count(*) FROM information_schema.innodb_trx AS trx JOIN information_schema.processlist AS process"
        " ON process.id = trx.trx_mysql_thread_id WHERE trx.trx_state = 'LOCK WAIT' AND process.db = DATABASE()"
    ),
}


class Other(threading.Thread):
    """A transaction on its own connection, as of another process. It takes one lock, and a second one later.

    In a deadlock the database rolls back the other transaction, not this one.

    Args:
        first: the function that takes the first lock. It is called immediately.
        second: the function that takes the second lock. It is called when `may_go_on` is set.
        undone: whether to roll back the transaction at the end.

    Attributes:
        holds: set when the first lock is taken.
        may_go_on: set it to let the transaction take the second lock.
        done: whether the transaction ended without an error.
    """

    def __init__(self, first: Callable[[], object], second: Callable[[], object], *, undone: bool = False) -> None:
        super().__init__(daemon=True)
        self._first, self._second, self._undone = first, second, undone
        self.holds, self.may_go_on = threading.Event(), threading.Event()
        self.done = False

    def run(self) -> None:
        try:
            with transaction.atomic():
                self._first()
                _avoid_becoming_victim()
                self.holds.set()
                assert self.may_go_on.wait(GENEROUS)
                self._second()
                transaction.set_rollback(self._undone)
            self.done = True
        finally:
            self.holds.set()
            connection.close()

    def finish(self) -> None:
        self.join(GENEROUS)
        assert self.done


def wait_until_somebody_waits() -> None:
    """Wait until a connection to this database waits for a lock."""
    deadline = time.monotonic() + GENEROUS
    with connection.cursor() as cursor:
        while True:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_stat_clear_snapshot()"
                )  # otherwise a transaction sees the first result again
            cursor.execute(WAITING_QUERIES[connection.vendor])
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline, "No connection waits for a lock."
            # InnoDB refreshes innodb_trx only after 0.1 s without a query. With a fixed interval, two processes that
            # query in turn would never see a new state.
            time.sleep(0.005 if connection.vendor == "postgresql" else random.uniform(0.11, 0.6))


@contextmanager
def contentions() -> Iterator[list[Error]]:
    """Collect the errors of this connection that contention with other writers caused."""
    errors: list[Error] = []

    def collect(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return execute(sql, params, many, context)
        except Error as exc:
            if db_retry.is_contention(exc):
                errors.append(exc)
            raise

    with connection.execute_wrapper(collect):
        yield errors


def _avoid_becoming_victim() -> None:
    """Make the database roll back the other transaction of a deadlock.

    PostgreSQL rolls back the transaction that detects the deadlock, InnoDB the one that changed fewer rows.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")
    else:
        DeliveryReport.objects.bulk_create(
            DeliveryReport(
                account="other",
                source="callback",
                received_at="2026-01-01T00:00:00Z",
                outcome="orphan",
                # A fixed value could belong to a deleted row that is not purged yet. Inserting it would lock a gap.
                fingerprint=uuid4().hex,
            )
            for _ in range(50)
        )
