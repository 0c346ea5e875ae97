"""SQLite's one lock, for a short piece of work: where it is held, we ask for it again sooner than SQLite does.

A writer that finds it taken sleeps for a millisecond or more in SQLite, and it is free again after a part of that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr.instrumentation import is_watched
from django_messente_dlr.retries import SQLITE

# So often it is asked for without a sleep in between, in which another process may have its core. That takes about as
# long as one report holds the lock, and whoever sleeps wakes up later than it asked for where all cores are at work.
ATTEMPTS_AWAKE = 40
ATTEMPTS = 80
PAUSE = 0.00005  # seconds; the system makes a tenth of a millisecond of it
# A thread waits for so many seconds for the others of its process, and then for the database alone.
TURN = 1.0
_turns: dict[str, threading.Lock] = {}


def can_hold(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether it is SQLite, and no transaction is under way or left to the project."""
    return connection.vendor == "sqlite" and not connection.in_atomic_block and connection.get_autocommit()


def own_cursor(connection: BaseDatabaseWrapper) -> closing[Any] | None:
    """Return a cursor of SQLite's own, to be used inside `holding`; None where Django's is to be used.

    Django's takes as long over a statement as SQLite does, and other writers wait for both.

    Args:
        connection: a database that `can_hold`.
    """
    if is_watched(connection):
        return None
    own: Any = connection.connection
    return closing(own.cursor())


@contextmanager
def holding(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Hold the lock in a transaction, which an error undoes.

    Not by Django's ``atomic``, which cannot be used inside either: an error of its cursor's is a cycle of references
    with the cursor in it, and whichever thread collects that waits for the cursor's own, which waits for the lock.
    Here there are many such errors, and none of them has anything in it.

    Args:
        connection: the database, in no transaction.

    Raises:
        Error: the lock is held for longer than the project's settings have one wait for it.
    """
    with _turn(connection.alias), _transaction(connection):
        yield


@contextmanager
def _turn(alias: str) -> Iterator[None]:
    """Let the threads of this process ask for the lock one by one: those that ask keep who has it from its core."""
    turn = _turns.get(alias) or _turns.setdefault(alias, threading.Lock())
    taken = turn.acquire(timeout=TURN)
    try:
        yield
    finally:
        if taken:
            turn.release()


@contextmanager
def _transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    connection.ensure_connection()
    own: Any = connection.connection
    with connection.wrap_database_errors:
        begun = _begin_soon(connection)
    if not begun:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
    with connection.wrap_database_errors:
        try:
            yield
        except BaseException:
            own.rollback()
            raise
        own.commit()


def _begin_soon(connection: Any) -> bool:
    """Begin a transaction as soon as the lock is free; false where that took too many attempts."""
    own, trouble = connection.connection, connection.Database.OperationalError
    (timeout,) = own.execute("PRAGMA busy_timeout").fetchone()
    own.execute("PRAGMA busy_timeout = 0")
    try:
        for attempt in range(ATTEMPTS):
            try:
                own.execute("BEGIN IMMEDIATE")
            except trouble as exc:
                if exc.sqlite_errorcode & 0xFF not in SQLITE:
                    raise
            else:
                return True
            _wait(attempt)
    finally:
        own.execute(f"PRAGMA busy_timeout = {timeout}")
    return False


def _wait(attempt: int) -> None:
    """Let others go on after an attempt, the first of which is 0."""
    if attempt < ATTEMPTS_AWAKE and hasattr(os, "sched_yield"):  # not everywhere
        os.sched_yield()
    else:
        time.sleep(PAUSE)


if hasattr(os, "register_at_fork"):  # not on Windows
    # A thread of the parent's that has its turn does not come along to end it.
    os.register_at_fork(after_in_child=_turns.clear)
