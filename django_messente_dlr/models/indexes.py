"""A partial index for the few rows that are searched for. Writes of all other rows do not change it."""

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
