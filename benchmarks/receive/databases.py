"""The three databases: made for one run, filled with messages by their own SQL, and dropped after it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from typing import Any
from urllib.parse import unquote, urlsplit

DEFAULTS = {
    "postgres": "postgres://postgres@127.0.0.1:5432",
    "mariadb": "mysql://root@127.0.0.1:3306",
    "sqlite": "",
}
ENGINES = {"postgres": "postgresql", "mariadb": "mysql", "sqlite": "sqlite3"}
# A writer at a time: begin as one, wait for the other, and let readers read meanwhile.
SQLITE = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# The number n of a message, from 1 to N, in each database's own words.
SERIES = {
    "postgres": "FROM generate_series(1, {count}) AS series (n)",
    "mariadb": "FROM (SELECT seq AS n FROM seq_1_to_{count}) AS series",
    "sqlite": "FROM (WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {count})"
    " SELECT n FROM counted) AS series",
}
COLUMNS = {
    "byhand_sms": {
        "sms_unique_id": "md5({n})",
        "recipient": "'+37255500000'",
        "sender": "'Shop'",
        "text": "''",
        "status": "'sent'",
        "rank": "1",
        "stat": "''",
        "created_at": "CURRENT_TIMESTAMP",
    },
    "django_messente_dlr_smsmessage": {
        "sms_unique_id": "md5({n})",
        "omnimessage_id": "''",
        "account": "'default'",
        "recipient": "'+37255500000'",
        "sender": "'Shop'",
        "text": "''",
        "channel": "'sms'",
        "status": "'sent'",
        "rank": "1",
        "stat": "''",
        "error_text": "''",
        "metadata": "'{{}}'",
        "created_at": "CURRENT_TIMESTAMP",
        "sent_at": "CURRENT_TIMESTAMP",
        "poll_count": "0",
    },
    "django_messente_dlr_pendingpoll": {"account": "'default'", "due_at": "CURRENT_TIMESTAMP"},
}
# What a table's number is called where that is not «id».
KEYS = {"django_messente_dlr_pendingpoll": "message_id"}


def entry(database: str, name: str) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` for a new database called ``name`` (for SQLite: its path).

    The server is that of ``BENCH_POSTGRES_URL`` or ``BENCH_MARIADB_URL``, or the one on this machine.
    """
    engine = f"django.db.backends.{ENGINES[database]}"
    if database == "sqlite":
        return {"ENGINE": engine, "NAME": name, "OPTIONS": SQLITE, "CONN_MAX_AGE": None}
    url = urlsplit(os.environ.get(f"BENCH_{database.upper()}_URL", DEFAULTS[database]))
    return {
        "ENGINE": engine,
        "NAME": name,
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "CONN_MAX_AGE": None,
    }


def message_id(number: int) -> str:
    """Return the id at Messente of the message with this number."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def create() -> None:
    """Make the database of the settings with all tables in it."""
    from django.core.management import call_command
    from django.db import connection

    creation = connection.creation
    if connection.vendor != "sqlite":
        with creation._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {connection.settings_dict['NAME']}")
    call_command("migrate", run_syncdb=True, verbosity=0)


def drop() -> None:
    """Drop the database of the settings."""
    from django.db import connection

    connection.close()
    if connection.vendor == "sqlite":
        return  # its folder goes with the run
    with connection.creation._nodb_cursor() as cursor:
        force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP DATABASE {connection.settings_dict['NAME']}{force}")


def fill(database: str, count: int) -> None:
    """Put ``count`` messages into an empty table of theirs and into one of ours, and forget all reports."""
    from django.db import connection

    quote = connection.ops.quote_name
    number = {"postgres": "n::text", "mariadb": "n", "sqlite": "n"}[database]
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        raw: sqlite3.Connection = connection.connection
        raw.create_function("md5", 1, message_id, deterministic=True)
    with connection.cursor() as cursor:
        for table in ("byhand_log", "django_messente_dlr_deliveryreport", *reversed(COLUMNS)):
            truncate = {"postgres": "TRUNCATE {} RESTART IDENTITY CASCADE"}.get(database, "DELETE FROM {}")
            cursor.execute(truncate.format(table))
        for table, columns in COLUMNS.items():
            names = ", ".join(quote(name) for name in (KEYS.get(table, "id"), *columns))
            values = ", ".join(["n", *columns.values()]).format(n=number)
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} {SERIES[database].format(count=count)}")
        cursor.execute({"postgres": "VACUUM ANALYZE", "sqlite": "ANALYZE"}.get(database, "SELECT 1"))
        cursor.fetchall() if cursor.description else None
    connection.close()


def done(table: str, first: int, last: int) -> int:
    """Return how many of the messages with these numbers are known to be delivered.

    Args:
        table: one of `COLUMNS`.
        first: the first number.
        last: the last number.
    """
    from django.db import connection

    where = f"id BETWEEN %s AND %s AND {connection.ops.quote_name('rank')} = 5 AND status = 'delivered'"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", [first, last])
        return int(cursor.fetchone()[0])


def reports() -> int:
    """Return how many reports ours has written and, where it needed to, told its receivers of."""
    from django_messente_dlr.models import DeliveryReport

    return DeliveryReport.objects.filter(dispatched_at__isnull=False, dispatch_due_at=None).count()
