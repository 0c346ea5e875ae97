"""`is_contention` with the errors that the drivers raise."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, connections

from django_messente_dlr.utils.db_retry import is_contention
from tests.integration.processes.databases import shared

POSTGRESQL = [
    ("40001", True),  # serialization failure
    ("40P01", True),  # deadlock
    ("55P03", True),  # lock not available
    ("23505", False),  # unique violation
    ("22003", False),  # out of range
    ("25P02", False),  # the transaction is aborted
    ("42P01", False),  # no such table
    ("57014", False),  # statement timeout
    ("57P01", False),  # the server shuts down
    ("53300", False),  # too many connections
]
MYSQL = [
    (1020, True),  # the row has changed since it was read
    (1205, True),  # lock wait timeout
    (1213, True),  # deadlock
    (1062, False),  # duplicate
    (1146, False),  # no such table
    (1264, False),  # out of range
    (1290, False),  # the server is read-only
    (1969, False),  # statement timeout
    (2006, False),  # the server has gone away
]


def error_of(work: Callable[[], object]) -> Error:
    """Call ``work`` and return the error that Django raises."""
    with pytest.raises(Error) as raised:
        work()
    return raised.value


def raising(state: str) -> str:
    """Return SQL that fails with this SQLSTATE on PostgreSQL."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'as it is' USING ERRCODE = '{state}'; END $$"


def run(sql: str, params: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
@pytest.mark.parametrize(("state", "expected"), POSTGRESQL)
def test_is_contention__postgresql(state: str, expected: bool) -> None:
    assert is_contention(error_of(lambda: run(raising(state)))) is expected


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
@pytest.mark.parametrize(("state", "expected"), POSTGRESQL)
def test_is_contention__postgresql_with_psycopg2(state: str, expected: bool) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    settings = connection.settings_dict
    address = {"host": settings["HOST"], "port": settings["PORT"] or None, **settings["OPTIONS"]}
    with closing(psycopg2.connect(dbname="postgres", user=settings["USER"], **address)) as psycopg2_connection:
        with pytest.raises(psycopg2.Error) as raised:
            psycopg2_connection.cursor().execute(raising(state))
        wrapped = OperationalError()
        wrapped.__cause__ = raised.value  # as Django wraps errors of the driver
        assert is_contention(wrapped) is expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="needs MariaDB")
@pytest.mark.parametrize(("number", "expected"), MYSQL)
def test_is_contention__mariadb(number: int, expected: bool) -> None:
    sql = f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'as it is'"
    assert is_contention(error_of(lambda: run(sql))) is expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="needs SQLite")
class TestIsContentionOnSqlite:
    def test_busy__another_writer(self, tmp_path: Path) -> None:
        with shared(tmp_path), closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as other:
            run("PRAGMA busy_timeout = 0")
            other.execute("BEGIN IMMEDIATE")
            error = error_of(lambda: run("DELETE FROM django_messente_dlr_smsmessage"))
        assert is_contention(error)

    def test_busy__snapshot_is_outdated(self, tmp_path: Path) -> None:
        change = "INSERT INTO django_messente_dlr_account (name) VALUES ('x')"
        with shared(tmp_path), closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as other:
            run("PRAGMA journal_mode = WAL")
            run("CREATE TABLE changed (x)")
            run("BEGIN")
            run("SELECT * FROM changed")
            other.execute("INSERT INTO changed VALUES (1)")
            change = "INSERT INTO changed VALUES (2)"
            error = error_of(lambda: run(change))
            run("ROLLBACK")
        assert is_contention(error)

    def test_locked__shared_memory_database(self) -> None:
        other: Any = connections.create_connection("default")
        other.connect()
        # Not the close() of Django's connection, which keeps a database in memory open.
        with closing(other.connection), other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("UPDATE django_messente_dlr_smsmessage SET sender = 'x'")
            error = error_of(lambda: run("SELECT * FROM django_messente_dlr_smsmessage"))
            cursor.execute("ROLLBACK")
        assert is_contention(error)

    @pytest.mark.parametrize(
        "sql", ["SELECT * FROM nowhere", "SELEKT", "INSERT INTO django_content_type (id) VALUES (1)"]
    )
    def test_other_errors(self, sql: str) -> None:
        assert not is_contention(error_of(lambda: run(sql)))


def test_is_contention__error_without_cause() -> None:
    assert not is_contention(Error("not raised by a driver"))
