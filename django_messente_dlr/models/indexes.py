"""Partial indexes, of the few rows that are searched for or unique. Writes of all other rows do not change them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement


class PartialIndexIfSupported(models.Index):
    """An index of the rows that meet a condition or, on a database without partial indexes, of all rows.

    Django's own ``condition`` is not used: with it, Django warns every project on MariaDB or MySQL (``models.W037``)
    that the condition has no effect there. For this class that is intended.

    Args:
        condition: the condition of the rows in the index.
        kwargs: the arguments of `django.db.models.Index`.
    """

    def __init__(self, *, condition: models.Q, **kwargs: Any) -> None:
        self.partial_condition = condition
        super().__init__(**kwargs)

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kwargs: Any
    ) -> Statement:
        condition = self.partial_condition if schema_editor.connection.features.supports_partial_indexes else None
        plain = models.Index(fields=self.fields, name=self.name, condition=condition)
        return plain.create_sql(model, schema_editor, using, **kwargs)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "condition": self.partial_condition}


class PartialUniqueIfSupported(models.UniqueConstraint):
    """A unique constraint whose index has the rows that meet a condition or, where that is not possible, all rows.

    Every row that does not meet the condition must have NULL in one of the fields, so that all databases accept and
    refuse the same rows. See `PartialIndexIfSupported` for the reason of its own condition (``models.W036``).

    Args:
        condition: the condition of the rows in the index.
        kwargs: the arguments of `django.db.models.UniqueConstraint`.
    """

    def __init__(self, *, condition: models.Q, **kwargs: Any) -> None:
        self.partial_condition = condition
        super().__init__(**kwargs)

    def constraint_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> str:
        return self._plain(schema_editor).constraint_sql(model, schema_editor)

    def create_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        return self._plain(schema_editor).create_sql(model, schema_editor)

    def remove_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        return self._plain(schema_editor).remove_sql(model, schema_editor)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "condition": self.partial_condition}

    def _plain(self, schema_editor: Any) -> models.UniqueConstraint:
        is_supported = schema_editor.connection.features.supports_partial_indexes
        condition = self.partial_condition if is_supported else None
        return models.UniqueConstraint(fields=self.fields, name=self.name, condition=condition)
