"""SQL that is put together once and carried out often, where the ORM would compile it anew each time.

That compiling takes longer than a database here takes to carry it out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, tzinfo
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from django_messente_dlr.plans import PARAMETER

Row = TypeVar("Row", bound=Model)


class Shape(NamedTuple):
    """The columns of a statement in their order, by their names in Python, and the SQL of each.

    Attributes:
        names: the columns.
        sql: for each of them NULL, a literal, or the place of a parameter.
    """

    names: tuple[str, ...]
    sql: tuple[str, ...]

    @classmethod
    def of_parameters(cls, *names: str) -> Shape:
        """Return the columns of these names, each with the place of a parameter."""
        return cls(names, (PARAMETER,) * len(names))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Return each column with its SQL."""
        return zip(self.names, self.sql, strict=True)


class Part(NamedTuple):
    """The columns of a statement with their values: what the statement depends on, and its parameters."""

    shape: Shape
    parameters: list[Any]


def part(
    connection: BaseDatabaseWrapper,
    model: type[Model],
    values: Mapping[str, Any],
    *,
    fixed: Collection[str] = frozenset(),
) -> Part:
    """Return some columns of a statement with their values as the database takes them.

    Args:
        connection: the database.
        model: whose columns they are.
        values: their values by the columns' names in Python. None and "" are no parameters.
        fixed: the columns whose values are of our own few words: these stand in the statement itself.
    """
    sql: list[str] = []
    parameters: list[Any] = []
    for name, value in values.items():
        kind = type(value)
        if value is None:
            sql.append("NULL")
        elif value == "" or name in fixed:
            sql.append(_word(value))
        else:
            sql.append(PARAMETER)
            # Any database takes texts and whole numbers as they are, and times and JSON in its own way; of all others
            # their field says how.
            if kind is str or kind is int:
                parameters.append(value)
            elif kind is datetime:
                parameters.append(_time(connection.alias, connection.timezone, settings.USE_TZ, value))
            elif kind is dict or kind is list:
                parameters.append(json.dumps(value))
            else:
                parameters.append(fields(model)[name].get_db_prep_save(value, connection))
    return Part(Shape(tuple(values), tuple(sql)), parameters)


@cache
def _word(value: str | int | tuple[str, ...]) -> str:
    return literal(value)


@lru_cache(maxsize=64)
def _time(alias: str, timezone: tzinfo | None, aware: bool, value: datetime) -> Any:  # noqa: FBT001 - to be fast
    """Return a time as the database takes it, the same object for the same time.

    Of a report's row several columns have the same, and psycopg takes ten times as long over a time as over a text.

    Args:
        alias: the database.
        timezone: its time zone, and
        aware: the project's USE_TZ, on both of which it depends.
        value: the time.
    """
    taken: Any = connections[alias].ops.adapt_datetimefield_value(value)
    return str(taken) if type(taken) is datetime else taken


def types(alias: str, model: type[Model], shape: Shape) -> list[str]:
    """Return the types of the parameters among some columns, in the database's words."""
    of, connection = fields(model), connections[alias]
    return [of[name].rel_db_type(connection) or "text" for name, sql in shape.pairs() if sql == PARAMETER]


def assignments(alias: str, model: type[Model], shape: Shape) -> str:
    """Return what stands behind SET."""
    names = columns(alias, model)
    return ", ".join(f"{names[name]} = {sql}" for name, sql in shape.pairs())


def conditions(alias: str, model: type[Model], shape: Shape) -> str:
    """Return what stands behind WHERE."""
    names = columns(alias, model)
    return " AND ".join(f"{names[name]} {'IS' if sql == 'NULL' else '='} {sql}" for name, sql in shape.pairs())


@cache
def table(alias: str, model: type[Model]) -> str:
    """Return the quoted name of a model's table."""
    return str(connections[alias].ops.quote_name(model._meta.db_table))


def by_key(alias: str) -> str:
    """Return what stands behind the table of an UPDATE that is to find its rows by their primary key.

    MySQL's databases would look into the index of each column that is named, though the key names one row, and InnoDB
    might find it by an index that it is to change.
    """
    return " FORCE INDEX (PRIMARY)" if connections[alias].vendor == "mysql" else ""


@cache
def columns(alias: str, model: type[Model]) -> dict[str, str]:
    """Return the quoted columns of a model by their names in Python (``message_id``)."""
    quote = connections[alias].ops.quote_name
    return {name: quote(field.column or name) for name, field in fields(model).items()}


@cache
def fields(model: type[Model]) -> dict[str, Field[Any, Any]]:
    """Return the fields of a model by their columns' names in Python."""
    return {field.attname: field for field in model._meta.concrete_fields}


def instance(alias: str, model: type[Row], values: dict[str, Any]) -> Row:
    """Return a row that was read, as `Model.from_db` does, which looks at every field again and takes so much longer.

    Args:
        alias: the database.
        model: its model.
        values: all its values by their columns' names in Python.
    """
    if any(signal.receivers and signal.has_listeners(model) for signal in (pre_init, post_init)):
        return model.from_db(alias, list(values), list(values.values()))
    made = model.__new__(model)
    made._state = ModelState()
    made._state.db, made._state.adding = alias, False
    vars(made).update(values)
    return made


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
