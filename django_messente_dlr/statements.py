"""SQL that is put together once and carried out often, where the ORM would compile it anew each time.

That compiling takes longer than a database here takes to carry it out. PostgreSQL, which would plan it anew each time
too, is made to keep the plan, as long as it is the server's own connection that we have: behind a pooler that is not
so, which is found out and then let be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Model

from django_messente_dlr.retries import state_of

# Any database takes these as they are; of all others their field says how it takes them.
PLAIN = frozenset({str, int})
# The columns of a statement in their order, each with its SQL: NULL, a literal, or the place of a parameter.
Shape = tuple[tuple[str, str], ...]
PARAMETER = "%s"

# A connection that is used more rarely is not worth it. psycopg has the same number for the same purpose.
USES_BEFORE_PREPARING = 5
# So often a plan is carried out at the most: one that was made for a small table is not for ever right.
USES_OF_A_PLAN = 1000
# invalid_sql_statement_name, duplicate_prepared_statement: somebody stands between the server and us.
# feature_not_supported: a migration has changed a table under the plan.
NOT_TO_BE_PREPARED = frozenset({"26000", "42P05", "0A000"})
_uses: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()


class Fixed:
    """A value of our own vocabulary, of which there are few: it stands in the statement itself."""

    __slots__ = ("sql",)

    def __init__(self, value: str | int) -> None:
        self.sql = literal(value)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and how PostgreSQL is told to keep and to carry it out.

    Attributes:
        sql: its text, with ``%s`` for each parameter.
        prepare: the statement that prepares it.
        execute: the statement that carries out what was prepared, with the same parameters.
        deallocate: the statement that forgets it.
    """

    sql: str
    prepare: str
    execute: str
    deallocate: str

    @classmethod
    def of(cls, sql: str, types: Sequence[str]) -> Statement:
        """Return a statement.

        Args:
            sql: its text.
            types: the types of its parameters, in the database's words.
        """
        # The name says what it is, so that whoever has prepared one of this name has prepared this one.
        name = f"messente_dlr_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
        first, *rest = sql.split(PARAMETER)
        text = first + "".join(f"${place}{part}" for place, part in enumerate(rest, 1))
        places = ", ".join([PARAMETER] * len(rest))
        prepare, run = f"PREPARE {name} ({', '.join(types)}) AS {text}", f"EXECUTE {name} ({places})"
        return cls(sql, prepare, run, f"DEALLOCATE {name}")


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
    used = uses.get(statement.sql, 0)
    if used >= 0:
        uses[statement.sql] = used + 1
    if used < USES_BEFORE_PREPARING:
        cursor.execute(statement.sql, values)
        return
    try:
        if (used - USES_BEFORE_PREPARING) % USES_OF_A_PLAN == 0:
            if used > USES_BEFORE_PREPARING:
                cursor.execute(statement.deallocate)
            cursor.execute(statement.prepare)
        cursor.execute(statement.execute, values)
    except DatabaseError as exc:
        if state_of(exc) not in NOT_TO_BE_PREPARED:
            raise
        uses[statement.sql] = -1
        cursor.execute(statement.sql, values)


def _may_prepare(connection: BaseDatabaseWrapper) -> bool:
    # Django's documentation asks for this setting behind a pooler («Transaction pooling and server-side cursors»).
    return not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")


def shape_of(values: Mapping[str, Any]) -> Shape:
    """Return what a statement depends on in a set of values."""
    return tuple(
        [
            (name, "NULL" if value is None else value.sql if type(value) is Fixed else PARAMETER)
            for name, value in values.items()
        ]
    )


def parameters(connection: BaseDatabaseWrapper, model: type[Model], values: Mapping[str, Any]) -> list[Any]:
    """Return those of the values that are parameters, as the database takes them."""
    of = fields(model)
    taken: list[Any] = []
    told = moment = None
    for name, value in values.items():
        kind = type(value)
        if kind in PLAIN:
            taken.append(value)
        elif value is None or kind is Fixed:
            pass
        elif kind is not datetime:
            taken.append(of[name].get_db_prep_save(value, connection))
        else:
            # Most of the times in a statement are one and the same.
            if value is not told:
                told, moment = value, of[name].get_db_prep_save(value, connection)
            taken.append(moment)
    return taken


def types(alias: str, model: type[Model], shape: Shape) -> list[str]:
    """Return the types of the parameters among some columns, in the database's words."""
    of, connection = fields(model), connections[alias]
    return [of[name].rel_db_type(connection) or "text" for name, sql in shape if sql == PARAMETER]


def assignments(alias: str, model: type[Model], shape: Shape) -> str:
    """Return what stands behind SET."""
    names = columns(alias, model)
    return ", ".join(f"{names[name]} = {sql}" for name, sql in shape)


def conditions(alias: str, model: type[Model], shape: Shape) -> str:
    """Return what stands behind WHERE."""
    names = columns(alias, model)
    return " AND ".join(f"{names[name]} {'IS' if sql == 'NULL' else '='} {sql}" for name, sql in shape)


@cache
def table(alias: str, model: type[Model]) -> str:
    """Return the quoted name of a model's table."""
    return str(connections[alias].ops.quote_name(model._meta.db_table))


@cache
def columns(alias: str, model: type[Model]) -> dict[str, str]:
    """Return the quoted columns of a model by their names in Python (``message_id``)."""
    quote = connections[alias].ops.quote_name
    return {name: quote(field.column or name) for name, field in fields(model).items()}


@cache
def fields(model: type[Model]) -> dict[str, Field[Any, Any]]:
    """Return the fields of a model by their columns' names in Python."""
    return {field.attname: field for field in model._meta.concrete_fields}


@cache
def defaults(model: type[Model]) -> dict[str, str]:
    """Return the SQL of the default of each of a model's columns but its primary key."""
    blank = model()
    return {name: literal(getattr(blank, name)) for name, field in fields(model).items() if not field.primary_key}


def literal(value: Any) -> str:
    """Return the SQL of a value: a text, a whole number, none, or what JSON holds."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    told = value if isinstance(value, str) else json.dumps(value)
    return "'" + told.replace("'", "''").replace("%", "%%") + "'"
