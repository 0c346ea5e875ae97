"""That the signals of reports were sent, as their rows say it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import retries, sqlite
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.plans import Statement, alike, execute
from django_messente_dlr.statements import (
    Shape,
    assignments,
    by_key,
    conditions,
    part,
    table,
    types,
)

# What the UPDATE of some notes depends on: what is set, and what each row must say.
Shapes = tuple[Shape, tuple[Shape, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """What is to be written on a report's row once its signals were sent; itself alone is equal to it.

    Attributes:
        pk: its primary key.
        due: its ``dispatch_due_at`` as it was when they were sent. Where the row says otherwise by now, there is
            nothing to note: an orphan that was matched meanwhile has other signals, which are not sent yet.
        at: when they were sent.
        errors: what went wrong in its receivers, a line each.
    """

    pk: Any
    due: datetime | None
    at: datetime
    errors: str = ""

    def told(self) -> dict[str, Any]:
        """Return what its row is to say, by the columns' names in Python."""
        return {
            "dispatched_at": self.at,
            "dispatch_due_at": None,
            "dispatch_error": self.errors,
            "dispatch_failed_at": self.at if self.errors else None,
        }

    def expected(self) -> dict[str, Any]:
        """Return what its row must say for that to be right."""
        return {"id": self.pk, "dispatch_due_at": self.due}


def write(alias: str, note: Note) -> None:
    """Write a note by itself.

    Args:
        alias: the database.
        note: what is to be written.

    Raises:
        Error: the database's trouble does not pass.
    """
    retries.patiently(lambda: _write(alias, note), using=alias)


def parts_of(connection: BaseDatabaseWrapper, notes: Sequence[Note]) -> tuple[Shapes, list[Any]]:
    """Return what the UPDATE of some notes depends on, and its parameters.

    Args:
        connection: the database.
        notes: one, or several of receivers that were all well. Their rows will say when the last signals were sent.
    """
    told = part(connection, DeliveryReport, notes[-1].told())
    rows = [part(connection, DeliveryReport, note.expected()) for note in notes]
    parameters = [*told.parameters, *[value for row in rows for value in row.parameters]]
    return (told.shape, tuple([row.shape for row in rows])), parameters


def types_of(alias: str, shapes: Shapes) -> list[str]:
    """Return the types of these parameters."""
    told, expected = shapes
    return [kind for shape in (told, *expected) for kind in types(alias, DeliveryReport, shape)]


def update(alias: str, shapes: Shapes) -> str:
    """Return the UPDATE of some notes."""
    told, expected = shapes
    where = " OR ".join(f"({conditions(alias, DeliveryReport, shape)})" for shape in expected)
    of = table(alias, DeliveryReport) + by_key(alias)
    return f"UPDATE {of} SET {assignments(alias, DeliveryReport, told)} WHERE ({where})"


def _write(alias: str, note: Note) -> None:
    connection = connections[alias]
    lazily = connection.vendor == "postgresql" and not connection.in_atomic_block
    shapes, values = parts_of(connection, [note])
    statement = _statement(alias, shapes, alike(values), lazily=lazily)
    with sqlite.holding(connection) if sqlite.can_hold(connection) else nullcontext():
        execute(connection, statement, values)


@cache
def _statement(alias: str, shapes: Shapes, same: tuple[int, ...], *, lazily: bool) -> Statement:
    # PostgreSQL need not wait for its disk: what a crash of the server takes back is sent again, as after any crash.
    lazy = " AND set_config('synchronous_commit', 'off', true) IS NOT NULL" if lazily else ""
    return Statement.of(connections[alias].vendor, update(alias, shapes) + lazy, types_of(alias, shapes), same)
