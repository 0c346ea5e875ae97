"""Writes an ordinary report on PostgreSQL: one statement, which is one round trip and a transaction by itself."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import notes
from django_messente_dlr.ledger.together import is_expendable, whole
from django_messente_dlr.ledger.writing import (
    Shapes,
    Writing,
    end_of_waiting,
    message_of,
    row,
    types_of_update,
    update,
)
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.plans import Statement, alike, execute
from django_messente_dlr.statements import columns, types


def write(connection: BaseDatabaseWrapper, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Do what `portable.write` does, and tell it alike."""
    values = [*writing.of_notes, *writing.of_message, *writing.of_row]
    statement = _statement(connection.alias, writing.shapes, alike(values), tell=tell)
    # Where the report is there already, it fails as a whole, and with it the transaction that it is part of.
    with whole(connection.alias) if connection.in_atomic_block else nullcontext():
        answer = execute(connection, statement, values, expendable=is_expendable())
    if tell and answer.first:
        return answer.first[0], message_of(connection, answer.first[1:])
    return bool(answer.rows)


@cache
def _statement(alias: str, shapes: Shapes, same: tuple[int, ...], *, tell: bool) -> Statement:
    names = columns(alias, SmsMessage)
    returned = ", ".join(names.values()) if tell else names["id"]
    into, values = row(alias, shapes.row, message=f"moved.{names['id']}")
    noted = f"noted AS ({notes.update(alias, shapes.notes)}), " if shapes.notes else ""
    moved = f"WITH {noted}moved AS ({update(alias, shapes)} RETURNING {returned})"
    if shapes.ends_waiting:
        moved += f", ended AS ({end_of_waiting(alias)} = (SELECT {names['id']} FROM moved))"
    insert = f"INSERT INTO {into} SELECT {values} FROM moved"
    sql = f"{moved} {insert}"
    if tell:
        pk = columns(alias, DeliveryReport)["id"]
        sql = f"{moved}, logged AS ({insert} RETURNING {pk} AS report_pk)"
        sql += " SELECT logged.report_pk, moved.* FROM logged, moved"
    kinds = notes.types_of(alias, shapes.notes) if shapes.notes else []
    kinds += types_of_update(alias, shapes) + types(alias, DeliveryReport, shapes.row)
    return Statement.of("postgresql", sql, kinds, same)
