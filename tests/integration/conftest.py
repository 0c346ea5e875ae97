"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.isolation import LEVELS, isolated


@pytest.fixture(params=LEVELS[connection.vendor])
def level(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """Run the test at each isolation level. An in-memory database of SQLite is one connection for all threads."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, so that one transaction waits for the other")
    with isolated(request.param):
        yield request.param
