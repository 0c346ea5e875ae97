"""Fixtures for what is proven with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes.databases import shared


@pytest.fixture
def database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The ``DATABASE_URL`` by which other processes open the test's database."""
    with shared(tmp_path) as url:
        yield url
