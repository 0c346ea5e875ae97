"""PostgreSQL databases for one run: made, filled with messages by SQL, and dropped."""

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
    """Has everything use the database that is chosen at the time."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Router.alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return Router.alias


def setup(names: Sequence[str]) -> None:
    """Set Django up with databases of these names; the first is the default."""
    entries = {name: entry("postgres", name) for name in names}
    os.environ["BENCH_DATABASES"] = json.dumps({"default": entries[names[0]], **entries})
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.poll.settings"
    django.setup()
    Router.alias = names[0]


@contextmanager
def databases(names: Sequence[str]) -> Iterator[None]:
    """Make databases with their tables, and drop them at the end. Django must be set up with them."""
    from django.core.management import call_command
    from django.db import connections

    made: list[str] = []
    try:
        for name in names:
            with connections[name].creation._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
            made.append(name)
            Router.alias = name
            call_command("migrate", database=name, verbosity=0)
        yield
    finally:
        connections.close_all()
        for name in made:
            with connections[name].creation._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(name: str, *, count: int, due: int, scattered: bool = False) -> None:
    """Have a database hold ``count`` messages, of which ``due`` are due and the others are delivered.

    Args:
        name: the database.
        count: the number of all messages.
        due: the number of those that are due, in an order of their own.
        scattered: whether these are spread evenly among the others, instead of being the newest, as they are where
            nobody has delayed them.
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
        # From the newest to the oldest, so that what was due first does not lie at one end.
        cursor.execute(
            f"INSERT INTO {PENDING} (message_id, account, due_at) SELECT id, account, now() - random() * interval"
            f" '1 hour' FROM {TABLE} WHERE status = 'sent' ORDER BY id DESC"
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}, {PENDING}")
        cursor.execute("CHECKPOINT")  # so that no turn pays for the filling
