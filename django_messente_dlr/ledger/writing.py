"""What is to be written about an ordinary report, and the SQL for it; what that is for, `straight` tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

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
    part,
    table,
    types,
)

# Columns whose words are our own.
VOCABULARY = frozenset({"status", "rank", "previous", "outcome", "source", "signals", "url_key", "signature_key"})


class Shapes(NamedTuple):
    """What the SQL of a writing depends on."""

    changes: Shape
    expected: Shape
    held: bool
    ends_waiting: bool
    row: Shape
    notes: notes.Shapes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What is to be written about one report, as the database takes it: while it is written, others may wait.

    Attributes:
        shapes: what its SQL depends on.
        message: by what its message is found: its primary key, or else its id.
        of_message: the parameters of the UPDATE of its message.
        of_row: the parameters of its row but for its message.
        of_notes: the parameters of what is written along with it about earlier reports.
    """

    shapes: Shapes
    message: Any
    of_message: list[Any]
    of_row: list[Any]
    of_notes: list[Any]

    @classmethod
    def of(
        cls,
        connection: BaseDatabaseWrapper,
        *,
        changes: Mapping[str, Any],
        expected: Mapping[str, Any],
        unless_held: str,
        ends_waiting: bool,
        row: Mapping[str, Any],
        noted: Sequence[Note],
    ) -> Writing:
        """Return what is to be written, by the columns' names in Python (``message_id``).

        Args:
            connection: the database.
            changes: what to set in its message.
            expected: what its message must say for that to be right, and for anything to be written.
            unless_held: the account that must not be out of credits for it; "" where that does not matter.
            ends_waiting: whether no more is waited for from now on.
            row: the report's row but for its message; what is not named has its field's default.
            noted: what is written along with it about earlier reports.
        """
        change = part(connection, SmsMessage, changes, fixed=VOCABULARY)
        condition = part(connection, SmsMessage, expected, fixed=VOCABULARY)
        entry = part(connection, DeliveryReport, row, fixed=VOCABULARY)
        along, of_notes = notes.parts_of(connection, noted) if noted else (None, [])
        return cls(
            shapes=Shapes(change.shape, condition.shape, bool(unless_held), ends_waiting, entry.shape, along),
            message=expected["id"] if "id" in expected else expected["sms_unique_id"],
            of_message=[*change.parameters, *condition.parameters, *([unless_held] if unless_held else [])],
            of_row=entry.parameters,
            of_notes=of_notes,
        )


def update(alias: str, shapes: Shapes) -> str:
    """Return the UPDATE of a message whose columns are as expected."""
    where = conditions(alias, SmsMessage, shapes.expected)
    if shapes.held:
        account = columns(alias, Account)
        where += (
            f" AND NOT EXISTS (SELECT 1 FROM {table(alias, Account)}"
            f" WHERE {account['name']} = %s AND {account['credits_exhausted_at']} IS NOT NULL)"
        )
    of = table(alias, SmsMessage) + (by_key(alias) if "id" in shapes.expected.names else "")
    return f"UPDATE {of} SET {assignments(alias, SmsMessage, shapes.changes)} WHERE {where}"


def end_of_waiting(alias: str) -> str:
    """Return the DELETE of what was waited for, but for which message that was: ``… WHERE message_id``."""
    return f"DELETE FROM {table(alias, PendingReport)} WHERE {columns(alias, PendingReport)['message_id']}"


def types_of_update(alias: str, shapes: Shapes) -> list[str]:
    """Return the types of the parameters of `update`."""
    held = Shape.of_parameters(*(["account"] if shapes.held else []))
    return [kind for shape in (shapes.changes, shapes.expected, held) for kind in types(alias, SmsMessage, shape)]


def row(alias: str, told: Shape, *, message: str) -> tuple[str, str]:
    """Return what an INSERT of a report names, ``table (columns)``, and the values for it.

    Args:
        alias: the database.
        told: the columns that are given.
        message: SQL for the primary key of its message.
    """
    names = columns(alias, DeliveryReport)
    # Those given come first, in their order: so do their parameters.
    values = {"message_id": message, **dict(told.pairs())}
    values |= {name: sql for name, sql in defaults(DeliveryReport).items() if name not in values}
    return f"{table(alias, DeliveryReport)} ({', '.join(names[name] for name in values)})", ", ".join(values.values())


def message_of(connection: BaseDatabaseWrapper, row: Sequence[Any]) -> SmsMessage:
    """Return the message of a row of all its columns, as the ORM would have read it."""
    values = list(row)
    for index, converters, column in _converters(connection.alias):
        for convert in converters:
            values[index] = convert(values[index], column, connection)
    return instance(connection.alias, SmsMessage, dict(zip(fields(SmsMessage), values, strict=True)))


@cache
def _converters(alias: str) -> list[tuple[int, list[Any], Any]]:
    connection, found = connections[alias], []
    for index, field in enumerate(fields(SmsMessage).values()):
        column = field.get_col(SmsMessage._meta.db_table)
        converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        if converters:
            found.append((index, converters, column))
    return found
