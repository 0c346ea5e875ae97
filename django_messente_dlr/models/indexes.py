"""Indexes of the few rows that somebody looks for, which cost nothing for the many."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement


class PartialIndexIfSupported(models.Index):
    """An index of some rows alone where the database has such indexes, and of all rows where it has not.

    It is not Django's ``condition``: with that, Django warns every project on MariaDB (``models.W037``) of what is
    meant here.

    Args:
        condition: which rows are in it.
        kwargs: those of `django.db.models.Index`.
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
