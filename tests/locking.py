"""What other writers do to us on purpose: locks that they hold, and locks that they wait for."""

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

GENEROUS = 30.0  # seconds; shorter than the 50 for which MariaDB waits for a lock
# Who is told by the server that it waits for a lock of somebody else's.
WAITING = {
    "postgresql": (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ),
    "mysql": (
        "SELECT count(*) FROM information_schema.innodb_trx AS trx JOIN information_schema.processlist AS process"
        " ON process.id = trx.trx_mysql_thread_id WHERE trx.trx_state = 'LOCK WAIT' AND process.db = DATABASE()"
    ),
}


class Other(threading.Thread):
    """Another process's transaction, on a connection of its own: it takes one lock, and later wants a second.

    It is not the one whom the database chooses as a deadlock's victim.

    Args:
        first: what it does at once.
        second: what it does once `may_go_on` is set.
        undone: whether it is rolled back in the end.
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
                _be_no_victim()
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
    """Wait until a connection of this database waits for a lock."""
    ends = time.monotonic() + GENEROUS
    with connection.cursor() as cursor:
        while True:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it would tell the same again
            cursor.execute(WAITING[connection.vendor])
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < ends, "Nobody waits."
            # InnoDB looks when nobody has asked for a tenth of a second: two who ask in turn would never hear more.
            time.sleep(0.005 if connection.vendor == "postgresql" else random.uniform(0.11, 0.6))


@contextmanager
def contentions() -> Iterator[list[Error]]:
    """Collect what went wrong on this connection because other writers were in the way."""
    met: list[Error] = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return execute(sql, params, many, context)
        except Error as exc:
            if db_retry.is_contention(exc):
                met.append(exc)
            raise

    with connection.execute_wrapper(watch):
        yield met


def _be_no_victim() -> None:
    """Have the database take the other one: PostgreSQL takes who finds it out, InnoDB who has written less."""
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
                # One that was there and is deleted, but not purged yet, would have a gap locked.
                fingerprint=uuid4().hex,
            )
            for _ in range(50)
        )
