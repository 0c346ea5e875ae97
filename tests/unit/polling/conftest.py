from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.messente.answering import BACKUP, FIRST, OMNICHANNEL, Messente


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    """The hosts of Messente, with the responses that a test adds."""
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "API_HOSTS": [FIRST, BACKUP],
        "OMNICHANNEL_URL": OMNICHANNEL,
        "POLL_CONCURRENCY": 1,  # requests are sent in the order of the responses that a test adds
    }
    with Messente() as messente:
        yield messente
