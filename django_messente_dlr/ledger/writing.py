"""What is to be written about an ordinary report, and the SQL for it; what that is for, `straight` tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import notes
from django_messente_dlr.models import Account, DeliveryReport, PendingReport, SmsMessage
from django_messente_dlr.notes import Note
from django_messente_dlr.statements import (
    Shape,
    assignments,
    by_key,
    columns,
    conditions,
    defaults,
    fields,
    instance,
    parameters,
    shape_of,
    table,
    types,
)


@dataclass(frozen=True, slots=True)
class Shapes:
    """What the SQL of a writing depends on."""

    changes: Shape
    expected: Shape
    held: bool
    ends_waiting: bool
    row: Shape
    notes: notes.Shapes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What is to be written about one report, by the columns' names in Python (``message_id``).

    Attributes:
        changes: what to set in its message.
        expected: what its message must say for that to be right, and for anything to be written.
        unless_held: the account that must not be out of credits for it; "" where that does not matter.
        ends_waiting: whether no more is waited for from now on.
        row: the report's row but for its message; what is not named has its field's default.
        notes: what is written along with it about earlier reports.
    """

    changes: Mapping[str, Any]
    expected: Mapping[str, Any]
    unless_held: str
    ends_waiting: bool
    row: Mapping[str, Any]
    notes: Sequence[Note] = ()

    @property
    def shapes(self) -> Shapes:
        """What its SQL depends on."""
        return Shapes(
            shape_of(self.changes),
            shape_of(self.expected),
            bool(self.unless_held),
            self.ends_waiting,
            shape_of(self.row),
            notes.shapes_of(self.notes) if self.notes else None,
        )

    def of_message(self, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters of the UPDATE."""
        values = parameters(connection, SmsMessage, self.changes) + parameters(connection, SmsMessage, self.expected)
        return [*values, self.unless_held] if self.unless_held else values

    def of_row(self, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters of the report's row."""
        return parameters(connection, DeliveryReport, self.row)

    def of_notes(self, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters of the notes."""
        return notes.parameters_of(connection, self.notes) if self.notes else []


def update(alias: str, shapes: Shapes) -> str:
    """Return the UPDATE of a message whose columns are as expected."""
    where = conditions(alias, SmsMessage, shapes.expected)
    if shapes.held:
        account = columns(alias, Account)
        where += (
            f" AND NOT EXISTS (SELECT 1 FROM {table(alias, Account)}"
            f" WHERE {account['name']} = %s AND {account['credits_exhausted_at']} IS NOT NULL)"
        )
    of = table(alias, SmsMessage) + (by_key(alias) if "id" in dict(shapes.expected) else "")
    return f"UPDATE {of} SET {assignments(alias, SmsMessage, shapes.changes)} WHERE {where}"


def end_of_waiting(alias: str) -> str:
    """Return the DELETE of what was waited for, but for which message that was: ``… WHERE message_id``."""
    return f"DELETE FROM {table(alias, PendingReport)} WHERE {columns(alias, PendingReport)['message_id']}"


def types_of_update(alias: str, shapes: Shapes) -> list[str]:
    """Return the types of the parameters of `update`."""
    held = (("account", "%s"),) if shapes.held else ()
    return types(alias, SmsMessage, shapes.changes) + types(alias, SmsMessage, (*shapes.expected, *held))


def row(alias: str, told: Shape, *, message: str) -> tuple[str, str]:
    """Return what an INSERT of a report names, ``table (columns)``, and the values for it.

    Args:
        alias: the database.
        told: the columns that are given.
        message: SQL for the primary key of its message.
    """
    names = columns(alias, DeliveryReport)
    # Those given come first, in their order: so do their parameters.
    values = {"message_id": message, **dict(told)}
    values |= {name: sql for name, sql in defaults(DeliveryReport).items() if name not in values}
    return f"{table(alias, DeliveryReport)} ({', '.join(names[name] for name in values)})", ", ".join(values.values())


def message_of(alias: str, row: Sequence[Any]) -> SmsMessage:
    """Return the message of a row of all its columns, as the ORM would have read it."""
    connection, values = connections[alias], list(row)
    for index, converters, column in _converters(alias):
        for convert in converters:
            values[index] = convert(values[index], column, connection)
    return instance(alias, SmsMessage, dict(zip(fields(SmsMessage), values, strict=True)))


@cache
def _converters(alias: str) -> list[tuple[int, list[Any], Any]]:
    connection, found = connections[alias], []
    for index, field in enumerate(fields(SmsMessage).values()):
        column = field.get_col(SmsMessage._meta.db_table)
        converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        if converters:
            found.append((index, converters, column))
    return found
