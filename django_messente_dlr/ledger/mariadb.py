"""Writes an ordinary report on MariaDB: its statements in one block, which is one round trip with its transaction.

A transaction of three statements would be seven of them: Django turns the autocommit off before it and on after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr.ledger import portable
from django_messente_dlr.ledger.writing import Shapes, Writing, message_of
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.plans import Statement, execute
from django_messente_dlr.retries import code_of
from django_messente_dlr.statements import columns, fields

# UPDATE would wait for a row that another transaction is about to register, and with it Messente would. So it is told
# not to wait at all. What fails is undone as a whole, and told.
BLOCK = """
BEGIN NOT ATOMIC
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    SET STATEMENT innodb_lock_wait_timeout = 0 FOR {change};
    IF ROW_COUNT() = 1 THEN
        {end}
        {insert};
        {tell}
        {notes}
    END IF;
    COMMIT;
END
"""
# ER_LOCK_WAIT_TIMEOUT: the long way finds out whether there is a message, and waits for it if so.
LOCKED = 1205
# What JSON has no word for, or another one than Django: told as a text, and what makes of that text what a driver
# would have read.
TEXTS: dict[str, Callable[[str], Any]] = {
    "DateTimeField": datetime.fromisoformat,
    "DecimalField": Decimal,
    "JSONField": str,
}


def write(connection: BaseDatabaseWrapper, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Do what `portable.write` does, and tell it alike."""
    if connection.in_atomic_block or not getattr(connection, "mysql_is_mariadb", False):  # MySQL knows no such block
        return portable.write(connection, writing, tell=tell)
    message = [writing.message]
    # Which message is meant is said by each statement but the UPDATE.
    values = writing.of_message + (message if writing.shapes.ends_waiting else [])
    values += message + writing.of_row + (message if tell else []) + writing.of_notes
    try:
        answer = execute(connection, _block(connection.alias, writing.shapes, tell=tell), values)
    except OperationalError as exc:
        if code_of(exc) != LOCKED:
            raise
        return False
    if not tell or answer.first is None:
        return answer.rows > 0
    if answer.first[0] is None:
        # Some megabytes, and with JSON's escapes more than max_allowed_packet. It is written: the sweep tells of it.
        return True
    pk, *row = json.loads(answer.first[0])
    return pk, message_of(connection, _read(row))


@cache
def _block(alias: str, shapes: Shapes, *, tell: bool) -> Statement:
    sql = portable.sql(alias, shapes)
    # One column: to a driver, each takes as long to describe as to read.
    told = f"SELECT JSON_ARRAY(LAST_INSERT_ID(), {_columns(alias)}) {sql.where};" if tell else ""
    block = BLOCK.format(
        change=sql.change,
        end=sql.end and f"{sql.end};",
        insert=sql.insert,
        tell=told,
        notes=sql.notes and f"{sql.notes};",
    )
    return Statement.of("mysql", block, (), ())


def _columns(alias: str) -> str:
    names, texts = columns(alias, SmsMessage), _texts()
    return ", ".join(f"CAST({name} AS CHAR)" if index in texts else name for index, name in enumerate(names.values()))


def _read(row: list[Any]) -> list[Any]:
    """Return a row of a message with its texts read, as a driver returns it."""
    for index, read in _texts().items():
        if row[index] is not None:
            row[index] = read(row[index])
    return row


@cache
def _texts() -> dict[int, Callable[[str], Any]]:
    kinds = [field.get_internal_type() for field in fields(SmsMessage).values()]
    return {index: TEXTS[kind] for index, kind in enumerate(kinds) if kind in TEXTS}
