"""The column of an id that Messente gives: two that differ by case alone are two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[Any, Any]
else:
    # Django's is generic for type checkers alone.
    _CharField = models.CharField


class IdField(_CharField):
    """A text that is compared letter by letter, which MariaDB and MySQL do not do unless they are told to.

    Not by Django's ``db_collation``: each database has names of its own for that.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        told = super().db_parameters(connection)
        return {**told, "collation": "utf8mb4_bin"} if connection.vendor == "mysql" else told
