"""Statements that MariaDB keeps, carried out by mysqlclient's connection itself, as `libpq` does PostgreSQL's.

A cursor of Django's around one of mysqlclient's takes half as long over such a statement as the server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr.instrumentation import is_watched


def can_carry_out(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a statement may pass Django's cursors by.

    Args:
        connection: a MariaDB that we are connected to.
    """
    kind = type(connection.connection)
    # Neither PyMySQL in its place, nor a class of the project's or of one that traces statements.
    return (kind.__module__, kind.__name__) == ("MySQLdb.connections", "Connection") and not is_watched(connection)


def execute(connection: BaseDatabaseWrapper, sql: str, values: Sequence[Any]) -> tuple[int, tuple[Any, ...] | None]:
    """Carry out a statement; return how many rows it has written, or its first result has, and the first of these.

    Args:
        connection: a database that can.
        sql: its text, with ``%s`` for each parameter and no other sign of a percentage.
        values: its parameters.

    Raises:
        Error: it failed, or one of the statements that it is made of.
    """
    own: Any = connection.connection
    with connection.wrap_database_errors:
        try:
            own.query(sql.encode() % tuple([own.literal(value) for value in values]))
            result = own.store_result()
            rows = own.affected_rows()
            first = result.fetch_row() if result else ()
            # Only then is it known that a block of statements came to its end.
            while own.next_result() == 0:
                own.store_result()
        except own.OperationalError as exc:
            if exc.args[0] in _of_integrity():
                raise IntegrityError(*exc.args) from exc
            raise
    return rows, first[0] if first else None


@cache
def _of_integrity() -> Sequence[int]:
    """Return the errors that mysqlclient calls trouble of the server's, and Django's cursors by their name."""
    codes: Sequence[int] = import_module("django.db.backends.mysql.base").CursorWrapper.codes_for_integrityerror
    return codes
