from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.messente.answering import BACKUP, FIRST, OMNICHANNEL, Messente


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    """Messente's hosts, answering what the test says."""
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "API_HOSTS": [FIRST, BACKUP],
        "OMNICHANNEL_URL": OMNICHANNEL,
        "POLL_CONCURRENCY": 1,  # so that answers come in the order in which the test names them
    }
    with Messente() as messente:
        yield messente
