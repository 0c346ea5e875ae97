"""Writes an ordinary report on any database: a few statements in one transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import notes, sqlite
from django_messente_dlr.ledger.together import whole
from django_messente_dlr.ledger.writing import Shapes, Writing, end_of_waiting, message_of, row, update
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.plans import marked
from django_messente_dlr.statements import columns, table


@dataclass(frozen=True, slots=True)
class Sql:
    """The SQL of one report.

    Attributes:
        change: the UPDATE of its message.
        end: the DELETE of what was waited for; "" where nothing ends. Its parameter says which message is meant.
        insert: the INSERT of its row; the first parameter says which message is meant.
        notes: the UPDATE of the notes that are taken along; "" where there are none.
        columns: those of the message.
        where: what stands behind them in a SELECT of the message, with the same parameter.
        pk: the primary key of its row.
    """

    change: str
    end: str
    insert: str
    notes: str
    columns: str
    where: str
    pk: str

    def returning(self) -> Sql:
        """Return those whose UPDATE returns the message's columns, and whose INSERT the row's primary key."""
        change, insert = f"{self.change} RETURNING {self.columns}", f"{self.insert} RETURNING {self.pk}"
        return replace(self, change=change, insert=insert)

    def marked(self) -> Sql:
        """Return those with SQLite's own signs for parameters."""
        return Sql(**{name: marked(text) for name, text in asdict(self).items()})


def write(connection: BaseDatabaseWrapper, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Carry out the statements, or none; return whether the message was as expected.

    Args:
        connection: the database.
        writing: what to write.
        tell: whether to return the report's primary key and its message instead.

    Raises:
        IntegrityError: the report is there already. Nothing was written.
    """
    message = writing.message
    # MySQL's databases tell no more of an UPDATE than how many rows it has changed.
    returning = tell and connection.vendor != "mysql" and connection.features.can_return_columns_from_insert
    held = sqlite.can_hold(connection)
    own = sqlite.own_cursor(connection) if held else None
    statements = sql(connection.alias, writing.shapes, returning=returning, own=own is not None)
    if connection.vendor == "mysql" and not _is_there(connection, statements, message):
        return False
    with own or connection.cursor() as cursor, sqlite.holding(connection) if held else whole(connection.alias):
        cursor.execute(statements.change, writing.of_message)
        moved = cursor.fetchone() if returning else cursor.rowcount == 1
        if not moved:
            return False
        if tell and not returning:
            cursor.execute(f"SELECT {statements.columns} {statements.where}", [message])
            moved = cursor.fetchone()
        if statements.end:
            cursor.execute(statements.end, [message])
        cursor.execute(statements.insert, [message, *writing.of_row])
        pk = (cursor.fetchone()[0] if returning else cursor.lastrowid) if tell else None
        if statements.notes:
            cursor.execute(statements.notes, writing.of_notes)
    if not tell:
        return True
    return pk, message_of(connection, moved)


@cache
def sql(alias: str, shapes: Shapes, *, returning: bool = False, own: bool = False) -> Sql:
    """Return the SQL of one report.

    Args:
        alias: the database.
        shapes: what it depends on.
        returning: whether its statements tell what they have written.
        own: whether it is for SQLite's own cursor.
    """
    names = columns(alias, SmsMessage)
    named = "id" in shapes.expected.names
    where = f"FROM {table(alias, SmsMessage)} WHERE {names['id' if named else 'sms_unique_id']} = %s"
    message = "%s" if named else f"(SELECT {names['id']} {where})"
    into, values = row(alias, shapes.row, message=message)
    told = Sql(
        change=update(alias, shapes),
        end=f"{end_of_waiting(alias)} = {message}" if shapes.ends_waiting else "",
        insert=f"INSERT INTO {into} VALUES ({values})",
        notes=notes.update(alias, shapes.notes) if shapes.notes else "",
        columns=", ".join(names.values()),
        where=where,
        pk=columns(alias, DeliveryReport)["id"],
    )
    told = told.returning() if returning else told
    return told.marked() if own else told


def _is_there(connection: BaseDatabaseWrapper, statements: Sql, message: Any) -> bool:
    """Tell whether the message is committed.

    InnoDB's UPDATE waits for a row that another transaction is about to register, and with it Messente would. Its
    SELECT does not.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 {statements.where}", [message])
        return cursor.fetchone() is not None
