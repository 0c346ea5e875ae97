"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_messente_dlr import accounts, signals

pytest_plugins = ["django_messente_dlr.testing.plugin"]


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
