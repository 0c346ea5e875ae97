"""Fixtures for every test."""

from __future__ import annotations

import pytest

from django_messente_dlr import accounts

pytest_plugins = ["django_messente_dlr.testing.plugin"]


@pytest.fixture(autouse=True)
def _forget_noted_callbacks() -> None:
    """The process remembers when it noted a callback; the database of the next test does not."""
    accounts._callback_noted_at.clear()
