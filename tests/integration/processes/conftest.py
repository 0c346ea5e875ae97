"""Fixtures of the tests with several processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes.databases import shared


@pytest.fixture
def database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` with which other processes open the test's database."""
    with shared(tmp_path) as url:
        yield url
