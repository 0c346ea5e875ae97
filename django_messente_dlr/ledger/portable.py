"""Writes an ordinary report on any database: a few statements in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper

from django_messente_dlr.ledger.together import whole
from django_messente_dlr.ledger.writing import Shapes, Writing, end_of_waiting, message_of, row, update
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.statements import columns, table


@dataclass(frozen=True, slots=True)
class Sql:
    """The SQL of one report.

    Attributes:
        change: the UPDATE of its message.
        end: the DELETE of what was waited for; "" where nothing ends. Its parameter says which message is meant.
        insert: the INSERT of its row; the first parameter says which message is meant.
        columns: those of the message.
        where: what stands behind them in a SELECT of the message, with the same parameter.
    """

    change: str
    end: str
    insert: str
    columns: str
    where: str


def write(alias: str, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Carry out the statements, or none; return whether the message was as expected.

    Args:
        alias: the database.
        writing: what to write.
        tell: whether to return the report's primary key and its message instead.

    Raises:
        IntegrityError: the report is there already. Nothing was written.
    """
    connection = connections[alias]
    statements, message = sql(alias, writing.shapes), which(writing)
    # All that Python has to do is done first: SQLite has one writer at a time, and the others wait meanwhile.
    change, insert = writing.of_message(connection), [message, *writing.of_row(connection)]
    if connection.vendor == "mysql" and not _is_there(alias, statements, message):
        return False
    with connection.cursor() as cursor, whole(alias):
        if not tell:
            cursor.execute(statements.change, change)
            if cursor.rowcount != 1:
                return False
            _end(cursor, statements, message)
            cursor.execute(statements.insert, insert)
            return True
        moved = _moved(alias, cursor, statements, change, message)
        if moved is None:
            return False
        _end(cursor, statements, message)
        pk = _inserted(alias, cursor, statements, insert)
    return pk, message_of(alias, moved)


def which(writing: Writing) -> Any:
    """Return by what its message is found: its primary key, or else its id."""
    return writing.expected["id"] if "id" in writing.expected else writing.expected["sms_unique_id"]


@cache
def sql(alias: str, shapes: Shapes) -> Sql:
    """Return the SQL of one report."""
    names = columns(alias, SmsMessage)
    named = "id" in dict(shapes.expected)
    where = f"FROM {table(alias, SmsMessage)} WHERE {names['id' if named else 'sms_unique_id']} = %s"
    message = "%s" if named else f"(SELECT {names['id']} {where})"
    into, values = row(alias, shapes.row, message=message)
    end = f"{end_of_waiting(alias)} = {message}" if shapes.ends_waiting else ""
    return Sql(update(alias, shapes), end, f"INSERT INTO {into} VALUES ({values})", ", ".join(names.values()), where)


def _end(cursor: CursorWrapper, statements: Sql, message: Any) -> None:
    if statements.end:
        cursor.execute(statements.end, [message])


def _moved(alias: str, cursor: CursorWrapper, statements: Sql, change: list[Any], message: Any) -> Any:
    """Carry out the UPDATE; return its message's columns, or None where that was not as expected."""
    if connections[alias].vendor != "mysql" and _can_return(alias):
        cursor.execute(f"{statements.change} RETURNING {statements.columns}", change)
        return cursor.fetchone()
    cursor.execute(statements.change, change)
    if cursor.rowcount != 1:
        return None
    cursor.execute(f"SELECT {statements.columns} {statements.where}", [message])
    return cursor.fetchone()


def _inserted(alias: str, cursor: CursorWrapper, statements: Sql, insert: list[Any]) -> Any:
    """Carry out the INSERT; return the primary key of the report's row."""
    if not _can_return(alias):
        cursor.execute(statements.insert, insert)
        return cursor.lastrowid
    cursor.execute(f"{statements.insert} RETURNING {columns(alias, DeliveryReport)['id']}", insert)
    return cursor.fetchone()[0]


def _can_return(alias: str) -> bool:
    return connections[alias].features.can_return_columns_from_insert


def _is_there(alias: str, statements: Sql, message: Any) -> bool:
    """Tell whether the message is committed.

    InnoDB's UPDATE waits for a row that another transaction is about to register, and with it Messente would. Its
    SELECT does not.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT 1 {statements.where}", [message])
        return cursor.fetchone() is not None
