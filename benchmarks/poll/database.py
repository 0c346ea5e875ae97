"""PostgreSQL databases for one run: create them, fill them with messages by SQL, and drop them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import django

from benchmarks.receive.databases import COLUMNS, entry

TABLE = "django_messente_dlr_smsmessage"
PENDING = "django_messente_dlr_pendingpoll"


class Router:
    """Send every query to the database in `alias`."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Router.alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return Router.alias


def setup(names: Sequence[str]) -> None:
    """Set up Django with databases of these names; the first is the default."""
    entries = {name: entry("postgres", name) for name in names}
    os.environ["BENCH_DATABASES"] = json.dumps({"default": entries[names[0]], **entries})
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.poll.settings"
    django.setup()
    Router.alias = names[0]


@contextmanager
def databases(names: Sequence[str]) -> Iterator[None]:
    """Create databases with their tables, and drop them at the end; call `setup` with the same names first."""
    from django.core.management import call_command
    from django.db import connections

    created: list[str] = []
    try:
        for name in names:
            with connections[name].creation._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
            created.append(name)
            Router.alias = name
            call_command("migrate", database=name, verbosity=0)
        yield
    finally:
        connections.close_all()
        for name in created:
            with connections[name].creation._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(name: str, *, count: int, due: int, scattered: bool = False) -> None:
    """Replace the rows of a database by ``count`` messages; ``due`` of these are due, and the others are delivered.

    Args:
        name: the name of the database.
        count: the number of all messages.
        due: the number of due messages; their due times have no relation to their ids.
        scattered: whether the due messages are spread evenly among the others. Otherwise they are the newest, as in a
            project where polling is not behind.
    """
    from django.db import connections

    is_due = f"n % {count // due} = 0" if scattered else f"n > {count - due}"
    columns = {
        **COLUMNS[TABLE],
        "created_at": "now() - interval '1 hour'",
        "sent_at": "now() - interval '1 hour'",
        "status": f"CASE WHEN {is_due} THEN 'sent' ELSE 'delivered' END",
        "rank": f"CASE WHEN {is_due} THEN 10 ELSE 50 END",
    }
    names = ", ".join(connections[name].ops.quote_name(column) for column in columns)
    values = ", ".join(columns.values()).format(n="n::text")
    with connections[name].cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLE}, {PENDING}, django_messente_dlr_deliveryreport RESTART IDENTITY CASCADE")
        cursor.execute(
            f"INSERT INTO {TABLE} ({names}) SELECT {values} FROM generate_series(1, {count}) AS series (n)"
        )
        # From the newest to the oldest, with random due times: the rows that are due first are not stored together.
        cursor.execute(
            f"INSERT INTO {PENDING} (message_id, account, due_at) SELECT id, account, now() - random() * interval"
            f" '1 hour' FROM {TABLE} WHERE status = 'sent' ORDER BY id DESC"
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}, {PENDING}")
        cursor.execute("CHECKPOINT")  # otherwise the writes of the filled tables slow the measured run
