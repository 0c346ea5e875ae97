"""Statements that PostgreSQL keeps, carried out by psycopg's connection itself.

A cursor takes longer over one of them than the server does: it makes SQL of the parameters, which the server reads
again. Where somebody watches Django's cursors they are used all the same, and so they are wherever psycopg is not as
it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr.instrumentation import is_watched

TIMESTAMPTZ = 1184  # the number of this type in every PostgreSQL


def can_carry_out(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a statement may pass Django's cursors by.

    Args:
        connection: a database that we are connected to.
    """
    own, psycopg = connection.connection, _psycopg()
    # A class of the project's, or the proxy of one that traces statements, wants its own cursors to be used.
    if psycopg is None or type(own) is not psycopg.Connection or is_watched(connection):
        return False
    # A cursor reads times in the time zone that Django has by now, the connection in the one that it began with.
    loader = own.adapters.get_loader(TIMESTAMPTZ, psycopg.pq.Format.TEXT)
    if getattr(loader, "timezone", None) != connection.timezone:
        return False
    # A transaction that is under way is gone on with; to begin one is the cursor's.
    status, pgconn = psycopg.pq.TransactionStatus, own.pgconn
    may_begin = own.autocommit and pgconn.transaction_status == status.IDLE
    return (may_begin or pgconn.transaction_status == status.INTRANS) and not pgconn.pipeline_status


def prepare(connection: BaseDatabaseWrapper, name: str, text: str) -> None:
    """Have the server keep a statement.

    Args:
        connection: a database that can.
        name: what it is called from now on.
        text: its text, with ``$1`` for the first parameter.

    Raises:
        Error: it does not.
    """
    own: Any = connection.connection
    with connection.wrap_database_errors, own.lock:
        own.pgconn.send_prepare(name.encode(), text.encode())
        _result_of(own)


def execute(connection: BaseDatabaseWrapper, name: str, values: Sequence[Any]) -> tuple[int, tuple[Any, ...] | None]:
    """Carry out a statement that the server keeps; return how many rows it has written, and the first that it tells.

    Args:
        connection: a database that can.
        name: the statement's name.
        values: its parameters: whole numbers, decimal numbers and texts.

    Raises:
        Error: it failed.
    """
    own: Any = connection.connection
    told = [str(value).encode() for value in values]
    with connection.wrap_database_errors, own.lock:
        if b"\0" in b"".join(told):  # where libpq takes a text to end
            raise _psycopg().errors.DataError("PostgreSQL's texts have no NUL.")
        own.pgconn.send_query_prepared(name.encode(), told)
        result = _result_of(own)
        if not result.ntuples:
            return result.command_tuples or 0, None
        reader = _psycopg().adapt.Transformer(own)
        reader.set_pgresult(result)
        return result.ntuples, reader.load_row(0, tuple)


def _result_of(own: Any) -> Any:
    psycopg = _psycopg()
    # psycopg's own waiting: it lets other greenlets run, and cancels the statement where somebody presses Ctrl-C.
    result = own.wait(psycopg.generators.execute(own.pgconn))[-1]
    if result.status not in {psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK}:
        raise psycopg.errors.error_from_result(result)
    return result


@cache
def _psycopg() -> Any:
    """Return psycopg, or None for psycopg2. Where the database is another, nobody asks, and it is not imported."""
    try:
        import_module("psycopg.generators")
    except ImportError:
        return None
    return import_module("psycopg")
