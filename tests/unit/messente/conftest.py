from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.messente.answering import Messente


@pytest.fixture
def messente() -> Iterator[Messente]:
    """Mock Messente's hosts. The test prepares the responses."""
    with Messente() as messente:
        yield messente


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the proxies and CA bundles of the developer's environment."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
