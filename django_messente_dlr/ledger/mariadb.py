"""Writes an ordinary report on MariaDB: its statements in one block, which is one round trip with its transaction.

A transaction of three statements would be seven of them: Django turns the autocommit off before it and on after it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections

from django_messente_dlr.ledger import portable
from django_messente_dlr.ledger.writing import Shapes, Writing, message_of
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.plans import Statement, execute

# UPDATE would wait for a row that another transaction is about to register, and with it Messente would. A SELECT does
# not, unless it stands in an IF. What fails is undone as a whole, and told.
BLOCK = """
BEGIN NOT ATOMIC
    DECLARE is_there INT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    {look};
    IF is_there THEN
        START TRANSACTION;
        {change};
        IF ROW_COUNT() = 1 THEN
            {end}
            {insert};
            {tell};
            {notes}
        END IF;
        COMMIT;
    END IF;
END
"""


def write(alias: str, writing: Writing, *, tell: bool) -> tuple[Any, SmsMessage] | bool:
    """Do what `portable.write` does, and tell it alike."""
    connection = connections[alias]
    if connection.in_atomic_block or not getattr(connection, "mysql_is_mariadb", False):  # MySQL knows no such block
        return portable.write(alias, writing, tell=tell)
    message = portable.which(writing)
    # Which message is meant is said by each statement but the UPDATE.
    ends = [message] if writing.ends_waiting else []
    values = [message, *writing.of_message(connection), *ends, message, *writing.of_row(connection)]
    values += [message] if tell else []
    values += writing.of_notes(connection)
    found = execute(connection, _block(alias, writing.shapes, tell=tell), values).first
    if not tell or found is None:
        return found is not None
    return found[0], message_of(alias, found[1:])


@cache
def _block(alias: str, shapes: Shapes, *, tell: bool) -> Statement:
    sql = portable.sql(alias, shapes)
    told = f"SELECT LAST_INSERT_ID(), {sql.columns} {sql.where}" if tell else "SELECT 1"
    block = BLOCK.format(
        look=f"SELECT COUNT(*) INTO is_there {sql.where}",
        change=sql.change,
        end=sql.end and f"{sql.end};",
        insert=sql.insert,
        tell=told,
        notes=sql.notes and f"{sql.notes};",
    )
    return Statement.of("mysql", block, (), ())
