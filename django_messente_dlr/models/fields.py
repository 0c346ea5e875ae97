"""Model fields for ids: ids that Messente assigns, and a primary key that is shared with another row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[Any, Any]
    _OneToOneField = models.OneToOneField[Any, Any]
else:
    # Django's classes take type arguments in the stubs only, not at run time.
    _CharField = models.CharField
    _OneToOneField = models.OneToOneField


class CaseSensitiveCharField(_CharField):
    """A CharField whose comparison respects case on every database, with a binary collation on MariaDB and MySQL.

    The ids of Messente are opaque: two ids that differ only in case identify two messages. By default MariaDB and
    MySQL ignore case. ``db_collation`` cannot be used, because the names of collations depend on the database.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters = super().db_parameters(connection)
        return {**parameters, "collation": "utf8mb4_bin"} if connection.vendor == "mysql" else parameters


class PrimaryKeyOneToOneField(_OneToOneField):
    """A one-to-one relation that is the primary key, with the column type "integer" on SQLite.

    On SQLite a primary key of the type "integer" is the table's rowid, as with Django's own primary keys. A primary
    key of the type "bigint" has a separate index. Each write would change one more page while it holds the database's
    only write lock.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> Any:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)
