"""Runs a piece of work again where the database's trouble passes by itself: a deadlock, a lock, a stale connection.

No such trouble reaches Messente or a caller of ours unless it lasts: with eight processes at the same rows somebody
is chosen as a deadlock's victim now and then, and a restarted database has hung up on every persistent connection.
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
# Messente waits 10 s for its answer (documentation: «Delivery Report»); what lasts longer than this gets its 503.
PATIENCE = 4.0  # seconds
PAUSE = 0.005  # seconds, growing with every attempt
# A callback occupies one of the server's workers for as long as it waits for a locked row.
MAX_LOCK_WAIT = 2  # seconds

POSTGRESQL = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
MYSQL = frozenset({1020, 1205, 1213})  # the row has changed under a snapshot, lock wait timeout, deadlock
SQLITE = frozenset({5, 6})  # busy, locked
LOCK_TIMEOUTS = frozenset({"55P03", 1205})


def retry_on_contention(work: Callable[[], Result], *, using: str) -> Result:
    """Do a piece of work, again and again while other writers or a lost connection stand in its way.

    Inside somebody else's transaction it is done once: that transaction is lost with it.

    Args:
        work: what to do; all of it must be undone where it raises, or be harmless to do twice.
        using: the database that it is done in.

    Raises:
        Error: the database's trouble does not pass.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        return work()
    began = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        held = connection.connection
        try:
            return work()
        except Error as exc:
            patience = MAX_LOCK_WAIT if error_code(exc) in LOCK_TIMEOUTS else PATIENCE
            if attempt == ATTEMPTS or time.monotonic() - began >= patience:
                raise
            if not is_contention(exc):
                # One that has just been made and fails is not stale: the database is away.
                if held is None or (connection.connection is not None and connection.is_usable()):
                    raise
                connection.close()
        time.sleep(PAUSE * attempt * random.random())  # noqa: S311 - so that the same two do not meet again
    raise AssertionError("unreachable")


@contextmanager
def bounded_transaction(using: str) -> Iterator[None]:
    """Run a transaction in which no statement waits for a lock longer than `MAX_LOCK_WAIT`.

    Inside a transaction of the caller its own limits apply. SQLite waits as long as the ``timeout`` in its OPTIONS.

    Args:
        using: the database.

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
                cursor.execute(f"SET LOCAL lock_timeout = '{MAX_LOCK_WAIT}s'")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.innodb_lock_wait_timeout")
            previous = cursor.fetchone()[0]
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [min(MAX_LOCK_WAIT, previous)])
        try:
            with transaction.atomic(using=using):
                yield
        finally:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [previous])


def is_contention(error: Error) -> bool:
    """Tell whether an error of the database's means that other writers were in the way."""
    # SQLite's extended codes have the plain one in their last byte.
    if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in SQLITE:
        return True
    return error_code(error) in POSTGRESQL | MYSQL


def error_code(error: Error) -> str | int:
    """Return the code of an error, or "": MySQL's number, or PostgreSQL's state as psycopg or psycopg2 tells it."""
    cause = error.__cause__
    told = cause.args[0] if cause is not None and cause.args else ""
    if isinstance(told, int):
        return told
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
