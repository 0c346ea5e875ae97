"""The three databases: create one for a run, fill it with messages by SQL, and drop it at the end."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

DEFAULTS = {
    "postgres": "postgres://postgres@127.0.0.1:5432",
    "mariadb": "mysql://root@127.0.0.1:3306",
    "sqlite": "",
}
ENGINES = {"postgres": "postgresql", "mariadb": "mysql", "sqlite": "sqlite3"}
# SQLite allows one writer at a time: take the write lock at the start of a transaction and wait for it at most 20 s.
# With a write-ahead log, readers do not wait for the writer.
SQLITE = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# Django documents both options for PostgreSQL: the server binds the parameters, and psycopg prepares a statement
# after five executions.
PG_OPTIONS = {"server_side_binding": True, "prepare_threshold": 5}
# The number of messages that are delivered before the measurement, each with its report. If PostgreSQL prepares a
# plan while the table of reports is empty, that plan later reads the whole table.
REPORTED = 20_000
# When the messages were created: it is in their callback URLs. The connection's time zone is UTC.
CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# The numbers n of the messages, as a FROM clause for each database.
SERIES = {
    "postgres": "FROM generate_series({first}, {last}) AS series (n)",
    "mariadb": "FROM (SELECT seq AS n FROM seq_{first}_to_{last}) AS series",
    "sqlite": "FROM (WITH RECURSIVE numbers (n) AS"
    " (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) SELECT n FROM numbers) AS series",
}
# The number n as text, and a fingerprint computed from it.
TEXTS = {"postgres": "n::text", "mariadb": "n", "sqlite": "n"}
FINGERPRINTS = {
    "postgres": "encode(sha256(n::text::bytea), 'hex')",
    "mariadb": "SHA2(n, 256)",
    "sqlite": "sha256(n)",
}
DELIVERED = {
    "status": "CASE WHEN n > {reported} THEN 'sent' ELSE 'delivered' END",
    "rank": "CASE WHEN n > {reported} THEN 10 ELSE 50 END",
}
COLUMNS = {
    "byhand_sms": {
        "id": "n",
        "sms_unique_id": "md5({n})",
        "recipient": "'+37255500000'",
        "sender": "'Shop'",
        "text": "''",
        **DELIVERED,
        "stat": "''",
        "created_at": "CURRENT_TIMESTAMP",
    },
    "byhand_log": {
        "sms_unique_id": "md5({n})",
        "stat": "'DELIVRD'",
        "err": "0",
        "received_at": "CURRENT_TIMESTAMP",
        "payload": "'{{}}'",
        "fingerprint": "{fingerprint}",
    },
    "django_messente_dlr_smsmessage": {
        "id": "n",
        "sms_unique_id": "md5({n})",
        "omnimessage_id": "''",
        "account": "'default'",
        "recipient": "'+37255500000'",
        "sender": "'Shop'",
        "text": "''",
        "channel": "'sms'",
        **DELIVERED,
        "stat": "''",
        "error_text": "''",
        "metadata": "'{{}}'",
        "created_at": f"'{CREATED_AT:%Y-%m-%d %H:%M:%S}'",
        "sent_at": "CURRENT_TIMESTAMP",
        "poll_count": "0",
        "may_lack_poll": "FALSE",
    },
    "django_messente_dlr_pendingpoll": {
        "message_id": "n",
        "account": "'default'",
        "due_at": "CURRENT_TIMESTAMP",
    },
    "django_messente_dlr_deliveryreport": {
        "message_id": "n",
        "sms_unique_id": "md5({n})",
        "omnimessage_id": "''",
        "account": "'default'",
        "source": "'callback'",
        "stat": "'DELIVRD'",
        "status": "'delivered'",
        "err": "0",
        "received_at": "CURRENT_TIMESTAMP",
        "payload": "'{{}}'",
        "fingerprint": "{fingerprint}",
        "url_key": "''",
        "signature_key": "''",
        "times_received": "1",
        "outcome": "'advanced'",
        "previous": "'sent'",
        "signals": "'[\"dlr_received\"]'",
        "dispatched_at": "CURRENT_TIMESTAMP",
        "dispatch_error": "''",
    },
}


def entry(database: str, name: str, *, pg_options: bool = False) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` for a new database.

    ``BENCH_POSTGRES_URL`` and ``BENCH_MARIADB_URL`` select the server; the default is the one on this machine.

    Args:
        database: postgres, mariadb or sqlite.
        name: the name of the new database; for SQLite, its path.
        pg_options: whether PostgreSQL has `PG_OPTIONS`.
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
        "OPTIONS": PG_OPTIONS if pg_options and database == "postgres" else {},
        "CONN_MAX_AGE": None,
    }


def message_id(number: int) -> str:
    """Return the id at Messente of the message with this number."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def create() -> None:
    """Create the database of the settings with all its tables."""
    from django.core.management import call_command
    from django.db import connection

    creation = connection.creation
    if connection.vendor != "sqlite":
        with creation._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(f"CREATE DATABASE {connection.settings_dict['NAME']}")
    call_command("migrate", run_syncdb=True, verbosity=0)


def drop() -> None:
    """Drop the database of the settings."""
    from django.db import connection

    connection.close()
    if connection.vendor == "sqlite":
        return  # the temporary folder is deleted at the end of the run
    with connection.creation._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP DATABASE {connection.settings_dict['NAME']}{force}")


def fill(database: str, count: int, *, reported: int = 0) -> None:
    """Fill the tables of this package and those of the handlers beside it, and remove what they contain.

    Args:
        database: postgres, mariadb or sqlite.
        count: how many messages without a report to write, numbered from ``reported + 1``.
        reported: how many delivered messages to write before them, each with its report.
    """
    from django.db import connection

    last = reported + count
    add_functions()
    with connection.cursor() as cursor:
        for table in reversed(COLUMNS):
            truncate = {"postgres": "TRUNCATE {} RESTART IDENTITY CASCADE"}.get(database, "DELETE FROM {}")
            cursor.execute(truncate.format(table))
        for table in COLUMNS:
            first = reported + 1 if table == "django_messente_dlr_pendingpoll" else 1
            until = reported if table in {"byhand_log", "django_messente_dlr_deliveryreport"} else last
            if first <= until:
                cursor.execute(insert(database, table, first, until, reported=reported))
        analyze = {
            "postgres": "VACUUM ANALYZE",
            "mariadb": f"ANALYZE TABLE {', '.join(COLUMNS)}",
            "sqlite": "ANALYZE",
        }
        cursor.execute(analyze[database])
        cursor.fetchall() if cursor.description else None
    connection.close()


def insert(database: str, table: str, first: int, last: int, *, reported: int) -> str:
    """Return the SQL that writes the rows of some messages into one table.

    Args:
        database: postgres, mariadb or sqlite.
        table: one of `COLUMNS`.
        first: the number of the first message.
        last: the number of the last message.
        reported: up to which number messages are delivered.
    """
    from django.db import connection

    columns = COLUMNS[table]
    names = ", ".join(connection.ops.quote_name(name) for name in columns)
    values = ", ".join(columns.values()).format(
        n=TEXTS[database], fingerprint=FINGERPRINTS[database], reported=reported
    )
    return f"INSERT INTO {table} ({names}) SELECT {values} {SERIES[database].format(first=first, last=last)}"


def add_functions() -> None:
    """Add the functions that `insert` uses and SQLite does not have to the current connection."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.ensure_connection()
        raw: sqlite3.Connection = connection.connection
        raw.create_function("md5", 1, message_id, deterministic=True)
        raw.create_function("sha256", 1, _sha256, deterministic=True)


def _sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def count_delivered(table: str, first: int, last: int) -> int:
    """Return how many of the messages with these numbers have the status delivered.

    Args:
        table: one of `COLUMNS`.
        first: the first number.
        last: the last number.
    """
    from django.db import connection

    where = f"id BETWEEN %s AND %s AND {connection.ops.quote_name('rank')} = 50 AND status = 'delivered'"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", [first, last])
        return int(cursor.fetchone()[0])


def count_reports() -> int:
    """Return how many reports this package has written and dispatched."""
    from django_messente_dlr.models import DeliveryReport

    return DeliveryReport.objects.filter(dispatched_at__isnull=False, dispatch_due_at=None).count()
