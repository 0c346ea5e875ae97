from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.messente.answering import Messente


@pytest.fixture
def messente() -> Iterator[Messente]:
    """Messente's hosts, answering what the test says."""
    with Messente() as messente:
        yield messente


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's proxies and certificates are none of the tests'."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
