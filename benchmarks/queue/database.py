"""A PostgreSQL database for one run: create it on the server of DATABASE_URL, and drop it at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres"


@contextmanager
def database(**environment: str) -> Iterator[Any]:
    """Set up Django with a new database, and yield its connection.

    Args:
        environment: further variables of `benchmarks.queue.settings`.
    """
    import dj_database_url
    import django

    entry = dj_database_url.parse(os.environ.get("DATABASE_URL") or DEFAULT_URL)
    if "postgresql" not in str(entry["ENGINE"]):
        raise SystemExit("Run it on PostgreSQL: python tests/on_database.py postgres python -m benchmarks.queue …")
    entry["NAME"] = f"messente_dlr_queue_{os.getpid()}"
    os.environ |= {
        **environment,
        "BENCH_DATABASE": json.dumps(entry),
        "DJANGO_SETTINGS_MODULE": "benchmarks.queue.settings",
    }
    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    with connection.creation._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {entry['NAME']}")
    try:
        call_command("migrate", verbosity=0)
        yield connection
    finally:
        connections.close_all()
        with connection.creation._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {entry['NAME']} WITH (FORCE)")


def empty() -> None:
    """Delete all messages, with the rows that refer to them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE django_messente_dlr_smsmessage RESTART IDENTITY CASCADE")
