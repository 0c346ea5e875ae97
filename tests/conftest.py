"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import hypothesis
import pytest
from django.core.management.color import Style
from django.db.backends.base.base import BaseDatabaseWrapper

from django_messente_dlr import signals
from django_messente_dlr.accounts import activity
from django_messente_dlr.receiving import fast_path

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
def _forget_what_the_process_remembers() -> None:
    """Clear when a callback was noted last, which another database does not know, and what was logged once."""
    activity._callback_recorded_at.clear()
    fast_path._logged_errors.clear()


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


@pytest.fixture
def orm_path() -> Iterator[None]:
    """Record every report by the ORM, which reads the message first."""
    with mock.patch("django_messente_dlr.receiving.fast_path.try_write", return_value=False):
        yield


@pytest.fixture(params=["fast path", "ORM path"])
def each_path(request: pytest.FixtureRequest) -> str:
    """Record every report on each of the two paths, one after the other."""
    path: str = request.param
    if path == "ORM path":
        request.getfixturevalue("orm_path")
    return path
