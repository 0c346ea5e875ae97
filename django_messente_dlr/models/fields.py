"""The columns of ids: of one that Messente gives, and of one that another row has given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[Any, Any]
    _OneToOneField = models.OneToOneField[Any, Any]
else:
    # Django's are generic for type checkers alone.
    _CharField = models.CharField
    _OneToOneField = models.OneToOneField


class CaseSensitiveCharField(_CharField):
    """A text that is compared letter by letter, which MariaDB and MySQL do not do unless they are told to.

    Two of Messente's ids that differ by case alone are two.

    Not by Django's ``db_collation``: each database has names of its own for that.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        told = super().db_parameters(connection)
        return {**told, "collation": "utf8mb4_bin"} if connection.vendor == "mysql" else told


class PrimaryKeyOneToOneField(_OneToOneField):
    """A primary key that is another row's.

    As an «integer» it is what SQLite calls a row by itself, as Django's own keys are. As the «bigint» that other keys
    of other rows are, it had an index beside the table, another page for every writer under the one lock.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> Any:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)
