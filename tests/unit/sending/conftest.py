from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses

from django_messente_dlr.backends import locmem
from tests.unit.sending.resends import POLICY


@pytest.fixture
def fake_messente() -> Iterator[responses.RequestsMock]:
    """Answer requests as a test prepares it; no other request is answered."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture(params=["omnichannel", "sms"])
def api(request: pytest.FixtureRequest, settings: Any) -> str:
    """Run the test with each of Messente's APIs."""
    name: str = request.param
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": name}
    return name


@pytest.fixture
def omnichannel(settings: Any) -> None:
    """Send by the Omnichannel API."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": "omnichannel"}


@pytest.fixture
def resend_outbox(settings: Any) -> Iterator[list[Any]]:
    """Send to the list in memory, store texts, and send twice again what fails for a temporary cause."""
    values = {"BACKEND": "django_messente_dlr.backends.locmem.Backend", "STORE_TEXT": True, "RESEND": POLICY}
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}
    locmem.outbox.clear()
    yield locmem.outbox
    locmem.outbox.clear()
