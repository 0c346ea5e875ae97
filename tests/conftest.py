"""Fixtures for every test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from unittest import mock

import hypothesis
import pytest
from django.core.management.color import Style
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import accounts, crowd, signals
from django_messente_dlr.ledger import portable, straight

pytest_plugins = ["django_messente_dlr.testing.plugin"]

# HYPOTHESIS_PROFILE=long has hypothesis look for long, as one does now and then and not at every change.
hypothesis.settings.register_profile("long", max_examples=3000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def _flush_what_tests_write() -> Iterator[None]:
    """Flush a test's rows in a moment, which otherwise takes most of the time of most tests.

    Content types and permissions are left be: Django empties these tables too, and then makes them anew. PostgreSQL
    deletes the few rows that there are, where TRUNCATE would make new files for all tables and their indexes.
    """
    kept = {"django_content_type", "auth_permission"}

    def statements(style: Style, connection: BaseDatabaseWrapper, **options: bool) -> list[str]:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        flushed = [name for name in tables if name not in kept]
        if connection.vendor == "postgresql":
            return [f"DELETE FROM {connection.ops.quote_name(name)}" for name in flushed]
        return connection.ops.sql_flush(style, flushed, **options)

    with (
        mock.patch("django.core.management.commands.flush.sql_flush", statements),
        mock.patch("django.core.management.commands.flush.emit_post_migrate_signal"),
    ):
        yield


@pytest.fixture(autouse=True)
def _forget_noted_callbacks() -> None:
    """The process remembers when it noted a callback; the database of the next test does not."""
    accounts._callback_noted_at.clear()


@pytest.fixture(autouse=True)
def _shop_listens_only_in_its_own_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """The example shop is installed so that its tests can run; to the others its receivers would be strangers."""
    if "example" in request.path.parts:
        yield
        return
    listening = {name: signal.receivers for name, signal in signals.BY_NAME.items()}
    for signal in signals.BY_NAME.values():
        signal.receivers = []
    yield
    for name, signal in signals.BY_NAME.items():
        signal.receivers = listening[name]


@pytest.fixture(autouse=True)
def _no_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every report's signals noted at once: tests are no crowd, however fast they follow each other."""
    monkeypatch.setattr(crowd, "CROWD", sys.maxsize)


@pytest.fixture
def long_way() -> Iterator[None]:
    """Have every report go the long way, which reads its message first, also where it could go the straight one."""
    with mock.patch("django_messente_dlr.ledger.straight.go", return_value=False):
        yield


# PostgreSQL and MariaDB have a straight way of their own; all other databases share the portable one.
WAYS = ["straight", "long", *(["portable"] if straight.WRITERS[connection.vendor] is not portable.write else [])]


@pytest.fixture(params=WAYS)
def each_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have every report go each of the ways on which it may be written, one after the other."""
    way: str = request.param
    if way == "long":
        request.getfixturevalue("long_way")
    writers = {connection.vendor: portable.write} if way == "portable" else {}
    with mock.patch.dict(straight.WRITERS, writers):
        yield way
