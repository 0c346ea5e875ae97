"""The text of a database error for the output of a command."""

from __future__ import annotations

from django.db import Error as DatabaseError

from django_messente_dlr.doctor.checks.database import MIGRATE, missing_migrations


def describe_database_error(error: DatabaseError) -> str:
    """Return what is wrong: the missing migrations, or the text of the error if none is missing."""
    try:
        missing = missing_migrations()
    except DatabaseError:
        missing = []
    if missing:
        return f"Migrations are missing: {', '.join(missing)}. Run: {MIGRATE}"
    return f"The database cannot be used: {error}"
