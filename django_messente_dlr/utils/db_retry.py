"""Retry database work after temporary errors: a deadlock, a lock that is not available, a lost connection.

Such errors are normal. With eight processes at the same rows the database aborts a transaction of a deadlock now and
then, and a restarted database has closed every persistent connection. Callers see only errors that last.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.db import Error, connections, transaction

Result = TypeVar("Result")

ATTEMPTS = 10
# Seconds. Messente waits 10 s for the response to a callback (documentation: "Delivery Report"). An error that lasts
# longer than this is answered with HTTP 503.
MAX_RETRY_TIME = 4.0
PAUSE = 0.005  # seconds, multiplied by the number of the attempt
# A callback that waits for a locked row occupies a worker of the web server.
MAX_LOCK_WAIT = 2  # seconds

POSTGRESQL = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
MYSQL = frozenset({1020, 1205, 1213})  # the row has changed under a snapshot, lock wait timeout, deadlock
SQLITE = frozenset({5, 6})  # busy, locked
LOCK_TIMEOUTS = frozenset({"55P03", 1205})


def retry_on_contention(work: Callable[[], Result], *, using: str, lost_connection: bool = True) -> Result:
    """Call ``work``, and call it again after contention with other writers or a lost connection.

    Inside a transaction of the caller it is called once, because the error has ended that transaction too.

    Args:
        work: the function; when it raises, its changes must be rolled back, or be harmless to repeat.
        using: the database alias.
        lost_connection: whether to repeat the work also after a lost connection. Its commit may have succeeded.

    Raises:
        Error: another error of the database, or contention that lasts longer than ``MAX_RETRY_TIME``.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        return work()
    started = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        driver_connection = connection.connection
        try:
            return work()
        except Error as exc:
            # A wait for a lock is not repeated, even if it took a little less than the limit.
            max_retry_time = MAX_LOCK_WAIT / 2 if error_code(exc) in LOCK_TIMEOUTS else MAX_RETRY_TIME
            if attempt == ATTEMPTS or time.monotonic() - started >= max_retry_time:
                raise
            if not is_contention(exc):
                # A connection that was opened by this attempt is not stale: the database is not available.
                if not lost_connection or driver_connection is None:
                    raise
                if connection.connection is not None and connection.is_usable():
                    raise
                connection.close()
        time.sleep(PAUSE * attempt * random.random())  # noqa: S311 - so that two writers do not collide again
    raise AssertionError("unreachable")


@contextmanager
def bounded_transaction(using: str) -> Iterator[None]:
    """Run a transaction in which no statement waits for a lock longer than `MAX_LOCK_WAIT`.

    Inside a transaction of the caller its own limits apply. SQLite waits as long as the ``timeout`` in its OPTIONS.

    The databases wait for half of the limit, but up to twice. If several transactions wait for a row, PostgreSQL
    applies its timeout to the head of the queue and then to the row, and InnoDB to the entry in an index and then to
    the row.

    Args:
        using: the database alias.

    Raises:
        OperationalError: a lock was not available in that time.
    """
    connection = connections[using]
    if connection.in_atomic_block or connection.vendor not in {"postgresql", "mysql"}:
        with transaction.atomic(using=using):
            yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(using=using):
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{MAX_LOCK_WAIT * 500}ms'")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.innodb_lock_wait_timeout")
            previous = cursor.fetchone()[0]
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [min(max(1, MAX_LOCK_WAIT // 2), previous)])
        try:
            with transaction.atomic(using=using):
                yield
        finally:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [previous])


def is_contention(error: Error) -> bool:
    """Return whether an error of the database was caused by other writers."""
    # The last byte of an extended result code of SQLite is the primary code.
    if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in SQLITE:
        return True
    return error_code(error) in POSTGRESQL | MYSQL


def error_code(error: Error) -> str | int:
    """Return the driver's code of an error: MySQL's number, or PostgreSQL's state from psycopg or psycopg2; or ""."""
    cause = error.__cause__
    number = cause.args[0] if cause is not None and cause.args else ""
    if isinstance(number, int):
        return number
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
