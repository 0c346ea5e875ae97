"""Statements whose plan PostgreSQL keeps, where it would make one anew each time.

That is so as long as it is the server's own connection that we have: behind a pooler it is not, which is found out
and then let be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from django_messente_dlr.retries import state_of

PARAMETER = "%s"
# A connection that is used more rarely is not worth it. psycopg has the same number for the same purpose.
USES_BEFORE_PREPARING = 5
# So often a plan is carried out at the most: one that was made for a small table is not for ever right.
USES_OF_A_PLAN = 1000
# invalid_sql_statement_name, duplicate_prepared_statement: somebody stands between the server and us.
# feature_not_supported: a migration has changed a table under the plan.
# indeterminate_datatype: the server is to put the parameters into EXECUTE, which it cannot.
NOT_TO_BE_PREPARED = frozenset({"26000", "42P05", "0A000", "42P18"})
_uses: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and how PostgreSQL is told to keep and to carry it out.

    Attributes:
        sql: its text, with ``%s`` for each parameter.
        prepare: the statement that prepares it.
        execute: the statement that carries out what was prepared, with those parameters that differ.
        deallocate: the statement that forgets it.
        differing: the places of those parameters among all.
    """

    sql: str
    prepare: str
    execute: str
    deallocate: str
    differing: tuple[int, ...]

    @classmethod
    def of(cls, sql: str, types: Sequence[str], same: Sequence[int]) -> Statement:
        """Return a statement.

        Args:
            sql: its text.
            types: the types of its parameters, in the database's words.
            same: for each of them a number, alike where their values are: what `alike` returns.
        """
        first, *rest = sql.split(PARAMETER)
        # What is given once need be put into SQL once only, which takes Python longer than the rest of the statement.
        numbers: dict[tuple[int, str], int] = {}
        differing, text = [], first
        for place, part in enumerate(rest):
            known = (same[place], types[place])
            if known not in numbers:
                numbers[known] = len(numbers) + 1
                differing.append(place)
            text += f"${numbers[known]}{part}"
        kinds, places = ", ".join(types[place] for place in differing), ", ".join([PARAMETER] * len(differing))
        # The name says what it is, so that whoever has prepared one of this name has prepared this one.
        name = f"messente_dlr_{hashlib.sha256(f'{kinds} {text}'.encode()).hexdigest()[:16]}"
        prepare, run = f"PREPARE {name} ({kinds}) AS {text}", f"EXECUTE {name} ({places})"
        return cls(sql, prepare, run, f"DEALLOCATE {name}", tuple(differing))


def alike(values: Sequence[Any]) -> tuple[int, ...]:
    """Return a number for each value, the same for the same object."""
    numbers: dict[int, int] = {}
    return tuple([numbers.setdefault(id(value), len(numbers)) for value in values])


def execute(
    connection: BaseDatabaseWrapper,
    cursor: CursorWrapper,
    statement: Statement,
    values: list[Any],
    *,
    expendable: bool = False,
) -> None:
    """Carry out a statement, by its plan where the database has kept that.

    Args:
        connection: the database.
        cursor: its cursor.
        statement: the statement.
        values: its parameters.
        expendable: whether the transaction that it is part of is done again in another way where it fails.
    """
    # In a transaction a statement that fails is one that cannot be tried again.
    lasting = connection.in_atomic_block and not expendable
    if connection.vendor != "postgresql" or lasting or not _may_prepare(connection):
        cursor.execute(statement.sql, values)
        return
    uses = _uses.setdefault(connection.connection, {})
    used = uses.get(statement.prepare, 0)
    if used >= 0:
        uses[statement.prepare] = used + 1
    if used < USES_BEFORE_PREPARING:
        cursor.execute(statement.sql, values)
        return
    try:
        if (used - USES_BEFORE_PREPARING) % USES_OF_A_PLAN == 0:
            if used > USES_BEFORE_PREPARING:
                cursor.execute(statement.deallocate)
            cursor.execute(statement.prepare)
        cursor.execute(statement.execute, [values[place] for place in statement.differing])
    except DatabaseError as exc:
        if state_of(exc) not in NOT_TO_BE_PREPARED:
            raise
        uses[statement.prepare] = -1
        cursor.execute(statement.sql, values)


def _may_prepare(connection: BaseDatabaseWrapper) -> bool:
    # Django's documentation asks for this setting behind a pooler («Transaction pooling and server-side cursors»).
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    # An EXECUTE cannot have parameters of its own; and psycopg keeps plans by itself then.
    return not connection.settings_dict.get("OPTIONS", {}).get("server_side_binding")
