"""Fixtures of all tests."""

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

# The environment "unit" tries a few examples of each property test, all others the default number. Set
# HYPOTHESIS_PROFILE=long to try many more, which is too slow to run for every change.
hypothesis.settings.register_profile("quick", max_examples=15)
hypothesis.settings.register_profile("long", max_examples=3000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def _fast_flush() -> Iterator[None]:
    """Make the flush after each test fast. Django's flush takes most of the time of most tests.

    The tables of content types and permissions are not emptied; Django empties and fills them again. On PostgreSQL,
    DELETE removes the few rows, because TRUNCATE creates new files for all tables and their indexes.
    """
    kept = {"django_content_type", "auth_permission"}

    def sql_flush(style: Style, connection: BaseDatabaseWrapper, **options: bool) -> list[str]:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        flushed = [name for name in tables if name not in kept]
        if connection.vendor == "postgresql":
            return [f"DELETE FROM {connection.ops.quote_name(name)}" for name in flushed]
        return connection.ops.sql_flush(style, flushed, **options)

    with (
        mock.patch("django.core.management.commands.flush.sql_flush", sql_flush),
        mock.patch("django.core.management.commands.flush.emit_post_migrate_signal"),
    ):
        yield


@pytest.fixture(autouse=True)
def _clear_process_caches() -> None:
    """Clear the times of the last stored callbacks, which belong to an earlier test, and the logged errors."""
    activity._callback_recorded_at.clear()
    fast_path._logged_errors.clear()


@pytest.fixture(autouse=True)
def _disconnect_shop_receivers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Disconnect the receivers of the example shop, except in its own tests. It is installed for these tests only."""
    if "example" in request.path.parts:
        yield
        return
    receivers = {name: signal.receivers for name, signal in signals.BY_NAME.items()}
    for signal in signals.BY_NAME.values():
        signal.receivers = []
    yield
    for name, signal in signals.BY_NAME.items():
        signal.receivers = receivers[name]


@pytest.fixture(autouse=True)
def _long_lock_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a callback wait for a lock as long as a busy machine needs; tests of the limit set their own."""
    monkeypatch.setattr("django_messente_dlr.utils.db_retry.MAX_LOCK_WAIT", 30)


@pytest.fixture
def orm_path() -> Iterator[None]:
    """Record every report through the ORM, which reads the message first."""
    with mock.patch("django_messente_dlr.receiving.fast_path.try_write", return_value=False):
        yield


@pytest.fixture(params=["fast path", "ORM path"])
def each_path(request: pytest.FixtureRequest) -> str:
    """Run the test twice: with the fast path and with the ORM path."""
    path: str = request.param
    if path == "ORM path":
        request.getfixturevalue("orm_path")
    return path
