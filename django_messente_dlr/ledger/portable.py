"""Writes an ordinary report on any database: two statements in one transaction."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections, transaction

from django_messente_dlr.ledger.writing import Shapes, Writing, message_of, row, update
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.statements import columns, table


def write(alias: str, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Carry out both statements, or neither; return whether the message was as expected.

    Args:
        alias: the database.
        writing: what to write.
        tell: whether to return the report's primary key and its message instead.

    Raises:
        IntegrityError: the report is there already. Nothing was written.
    """
    connection = connections[alias]
    change, insert, select = _sql(alias, writing.shapes)
    # By what its message is found: its primary key, or else its id.
    which = writing.expected["id"] if "id" in writing.expected else writing.expected["sms_unique_id"]
    if connection.vendor == "mysql" and not _is_there(alias, select, which):
        return False
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute(change, writing.of_message(connection))
        if cursor.rowcount != 1:
            return False
        cursor.execute(insert, [which, *writing.of_row(connection)])
        if not tell:
            return True
        returned = connection.features.can_return_columns_from_insert
        pk = cursor.fetchone()[0] if returned else cursor.lastrowid
        cursor.execute(select, [which])
        return pk, message_of(alias, cursor.fetchone())


def _is_there(alias: str, select: str, which: Any) -> bool:
    """Tell whether the message is committed.

    InnoDB's UPDATE waits for a row that another transaction is about to register, and with it Messente would. Its
    SELECT does not.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute(select, [which])
        return cursor.fetchone() is not None


@cache
def _sql(alias: str, shapes: Shapes) -> tuple[str, str, str]:
    names = columns(alias, SmsMessage)
    named = "id" in dict(shapes.expected)
    where = f"FROM {table(alias, SmsMessage)} WHERE {names['id' if named else 'sms_unique_id']} = %s"
    into, values = row(alias, shapes.row, message="%s" if named else f"(SELECT {names['id']} {where})")
    pk = columns(alias, DeliveryReport)["id"]
    returning = f" RETURNING {pk}" if connections[alias].features.can_return_columns_from_insert else ""
    return (
        update(alias, shapes),
        f"INSERT INTO {into} VALUES ({values}){returning}",
        f"SELECT {', '.join(names.values())} {where}",
    )
