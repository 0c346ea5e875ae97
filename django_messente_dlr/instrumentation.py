"""Whether somebody watches Django's cursors, so that statements of ours must not pass them by."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


def is_watched(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether statements are logged, or somebody has put something of his own into Django's cursors.

    Args:
        connection: a database.
    """
    if connection.queries_logged or connection.execute_wrappers or "cursor" in vars(connection):
        return True
    # Who replaces the method keeps its name, but not the module that it was written in.
    return bool(CursorWrapper.execute.__globals__["__name__"] != CursorWrapper.__module__)
