"""Find out which rows of the project prevent the deletion of a message or a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from django.db.models import (
    CASCADE,
    PROTECT,
    RESTRICT,
    ForeignKey,
    ManyToOneRel,
    Model,
    ProtectedError,
    RestrictedError,
)
from django.db.utils import IntegrityError

# Instead of a model's name, if the database reports a constraint that no ``on_delete`` describes.
UNKNOWN_TABLE = "another table"


class Protection(NamedTuple):
    """The rows of a model that protect others from deletion, and the lookup that leads from them to the others."""

    model: type[Model]
    path: str


def protections_of(model: type[Model]) -> list[Protection]:
    """Return which rows protect the rows of a model.

    A row is protected by rows that refer to it with ``PROTECT`` or ``RESTRICT``, and by rows that refer in this way
    to a row that ``CASCADE`` would delete with it. Rows with ``RESTRICT`` protect also where Django would delete them
    with the same message by another relation: this is not examined.

    Each relation is examined on its shortest path only, which limits the number of queries. In the rare other cases
    Django raises an error: see `protecting_models`.

    Args:
        model: the model whose rows are to be deleted.
    """
    protections = []
    relations = deque((relation, relation.field.name) for relation in _relations(model))
    examined = set()
    while relations:
        relation, path = relations.popleft()
        if relation.field in examined:
            continue
        examined.add(relation.field)
        if relation.on_delete in {PROTECT, RESTRICT}:
            protections.append(Protection(relation.related_model, path))
        elif relation.on_delete is CASCADE:
            dependents = _relations(relation.related_model)
            relations.extend((dependent, f"{dependent.field.name}__{path}") for dependent in dependents)
    return protections


def find_protected(protections: Iterable[Protection], keys: Collection[int], *, using: str) -> dict[int, set[str]]:
    """Return the labels of the protecting models for each protected row, by its primary key.

    One query for each model uses the index of its foreign key. As a condition of the query for the rows themselves,
    PostgreSQL would read the whole table of the project for each batch.

    Args:
        protections: the result of `protections_of`.
        keys: the primary keys of the rows.
        using: the alias of the database.
    """
    protected: dict[int, set[str]] = {}
    for model, path in protections:
        rows = model._base_manager.using(using).filter(**{f"{path}__pk__in": keys})  # noqa: SLF001 - documented
        for pk in rows.order_by().values_list(f"{path}__pk", flat=True).distinct():
            protected.setdefault(pk, set()).add(model._meta.label)  # noqa: SLF001 - documented as public
    return protected


def protecting_models(error: IntegrityError) -> set[str]:
    """Return the labels of the models whose rows have prevented a deletion.

    Args:
        error: the error of the deletion.
    """
    if isinstance(error, ProtectedError):
        return {row._meta.label for row in error.protected_objects}  # noqa: SLF001 - documented as public
    if isinstance(error, RestrictedError):
        return {row._meta.label for row in error.restricted_objects}  # noqa: SLF001 - documented as public
    return {UNKNOWN_TABLE}


def _relations(model: type[Model]) -> Iterator[ManyToOneRel]:
    """Yield the foreign keys of other models to a model, in the form that Django has for the model."""
    fields = model._meta.get_fields(include_parents=False, include_hidden=True)  # noqa: SLF001 - documented as public
    for relation in fields:
        if isinstance(relation, ManyToOneRel) and isinstance(relation.field, ForeignKey):
            yield relation
