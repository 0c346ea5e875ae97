"""Statements that the server keeps, where it would read and plan them anew each time: PostgreSQL and MariaDB.

That is so as long as it is the server's own connection that we have: behind a pooler it is not, which is found out
and then let be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import libpq, mysqlclient
from django_messente_dlr.retries import code_of

PARAMETER = "%s"
# A connection that is used more rarely is not worth it. psycopg has the same number for the same purpose.
USES_BEFORE_PREPARING = 5
# So often a plan is carried out at the most: one that was made for a small table is not for ever right.
USES_OF_A_PLAN = 1000
# An empty table has soon grown: until then a plan is made anew whenever it was carried out twice as often.
EARLY = frozenset({8, 16, 32, 64, 128, 256, 512})
# invalid_sql_statement_name, duplicate_prepared_statement: somebody stands between the server and us.
# feature_not_supported: a migration has changed a table under the plan.
# indeterminate_datatype: the server is to put the parameters into EXECUTE, which it cannot.
# MariaDB: no such statement is prepared; one of this kind cannot be; no more may be; a table has changed too often.
NOT_TO_BE_PREPARED = frozenset({"26000", "42P05", "0A000", "42P18", 1243, 1295, 1461, 1615})
_uses: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and how the server is told to keep and to carry it out.

    Attributes:
        sql: its text, with ``%s`` for each parameter.
        name: what it is called where the server keeps it.
        text: what the server keeps, with its own signs for the parameters.
        prepare: the statement that prepares it; MariaDB's has ``text`` as its parameter.
        execute: the statement that carries out what was prepared, with those parameters that differ.
        deallocate: the statement that forgets it.
        differing: the places of those parameters among all.
    """

    sql: str
    name: str
    text: str
    prepare: str
    execute: str
    deallocate: str
    differing: tuple[int, ...]

    @classmethod
    def of(cls, vendor: str, sql: str, types: Sequence[str], same: Sequence[int]) -> Statement:
        """Return a statement.

        Args:
            vendor: the database's, as Django calls it.
            sql: its text.
            types: the types of its parameters, in the database's words; MariaDB asks for none.
            same: for each of them a number, alike where their values are: what `alike` returns.
        """
        return cls._of_mariadb(sql) if vendor == "mysql" else cls._of_postgresql(sql, types, same)

    @classmethod
    def _of_mariadb(cls, sql: str) -> Statement:
        text, count = marked(sql), sql.count(PARAMETER)
        name = _name_of(text)
        prepare, forget = f"PREPARE {name} FROM %s", f"DEALLOCATE PREPARE {name}"
        run = f"EXECUTE {name} USING {', '.join([PARAMETER] * count)}"
        return cls(sql, name, text, prepare, run, forget, tuple(range(count)))

    @classmethod
    def _of_postgresql(cls, sql: str, types: Sequence[str], same: Sequence[int]) -> Statement:
        first, *rest = sql.split(PARAMETER)
        # What is given once need be put into SQL once only, which takes Python longer than the rest of the statement.
        numbers: dict[tuple[int, str], int] = {}
        differing, text = [], first.replace("%%", "%")
        for place, part in enumerate(rest):
            known = (same[place], types[place])
            if known not in numbers:
                numbers[known] = len(numbers) + 1
                differing.append(place)
            # Without its length, to which a value would be cut.
            text += f"${numbers[known]}::{types[place].partition('(')[0]}{part.replace('%%', '%')}"
        name = _name_of(text)
        run = f"EXECUTE {name} ({', '.join([PARAMETER] * len(differing))})"
        return cls(sql, name, text, f"PREPARE {name} AS {text}", run, f"DEALLOCATE {name}", tuple(differing))


class Answer(NamedTuple):
    """What a statement has done.

    Attributes:
        rows: how many rows it has written, or told.
        first: the first of those that it tells; None for none.
    """

    rows: int
    first: tuple[Any, ...] | None


def marked(sql: str) -> str:
    """Return a statement with ``?`` for each parameter, as MariaDB keeps it and SQLite's own cursor wants it."""
    return sql.replace(PARAMETER, "?").replace("%%", "%")


def _name_of(text: str) -> str:
    """Return a name that says what it is, so that whoever has prepared one of this name has prepared this one."""
    return f"messente_dlr_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def alike(values: Sequence[Any]) -> tuple[int, ...]:
    """Return a number for each value, the same for the same object."""
    numbers: dict[int, int] = {}
    return tuple([numbers.setdefault(id(value), len(numbers)) for value in values])


def execute(
    connection: BaseDatabaseWrapper, statement: Statement, values: list[Any], *, expendable: bool = False
) -> Answer:
    """Carry out a statement, by its plan where the database has kept that.

    Args:
        connection: the database.
        statement: the statement.
        values: its parameters.
        expendable: whether the transaction that it is part of is done again in another way where it fails.

    Raises:
        Error: it failed.
    """
    # In a transaction a statement that fails is one that cannot be tried again.
    lasting = connection.in_atomic_block and not expendable
    if lasting or not _may_prepare(connection):
        return _by_cursor(connection, statement.sql, values)
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    uses = _uses.setdefault(connection.connection, {})
    used = uses.get(statement.name, 0)
    if used >= 0:
        uses[statement.name] = used + 1
    if used < USES_BEFORE_PREPARING:
        return _by_cursor(connection, statement.sql, values)
    try:
        return _by_plan(connection, statement, [values[place] for place in statement.differing], used=used)
    except DatabaseError as exc:
        if code_of(exc) not in NOT_TO_BE_PREPARED:
            raise
        uses[statement.name] = -1
        return _by_cursor(connection, statement.sql, values)


def _by_plan(connection: BaseDatabaseWrapper, statement: Statement, values: list[Any], *, used: int) -> Answer:
    direct = connection.vendor == "postgresql" and libpq.can_carry_out(connection)
    of_plans = used - USES_BEFORE_PREPARING
    if of_plans % USES_OF_A_PLAN == 0 or of_plans in EARLY:
        if of_plans:
            _by_cursor(connection, statement.deallocate)
        if direct:
            libpq.prepare(connection, statement.name, statement.text)
        else:
            _by_cursor(connection, statement.prepare, [statement.text] if connection.vendor == "mysql" else None)
    if direct:
        return Answer(*libpq.execute(connection, statement.name, values))
    if connection.vendor == "mysql" and mysqlclient.can_carry_out(connection):
        return Answer(*mysqlclient.execute(connection, statement.execute, values))
    return _by_cursor(connection, statement.execute, values)


def _by_cursor(connection: BaseDatabaseWrapper, sql: str, values: list[Any] | None = None) -> Answer:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        answer = Answer(cursor.rowcount, cursor.fetchone() if cursor.description else None)
        # Only then is it known that a block of statements came to its end.
        while connection.vendor == "mysql" and cursor.nextset():
            pass
    return answer


def _may_prepare(connection: BaseDatabaseWrapper) -> bool:
    # MySQL's EXECUTE takes no parameters, and SQLite's driver keeps its statements by itself.
    if connection.vendor != "postgresql" and not getattr(connection, "mysql_is_mariadb", False):
        return False
    # Django's documentation asks for this setting behind a pooler («Transaction pooling and server-side cursors»).
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    # An EXECUTE cannot have parameters of its own; and psycopg keeps plans by itself then.
    return not connection.settings_dict.get("OPTIONS", {}).get("server_side_binding")
