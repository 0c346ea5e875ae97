"""Two who enter the same message at the same time, or one after the other: it is entered once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import rows, track_sms
from tests.isolation import LEVELS, elsewhere, isolated
from tests.locking import GENEROUS

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]
# Where PostgreSQL shows a transaction nothing that is newer, the project's own transaction has to come again.
SEEING = [level for level in LEVELS[connection.vendor] if connection.vendor == "mysql" or level == "read committed"]


@pytest.mark.parametrize("level", SEEING)
def test_two_who_enter_an_omnimessage_at_the_same_time_enter_it_once(level: str) -> None:
    both = threading.Barrier(2)
    looking = rows.find_existing
    entered: list[SmsMessage] = []

    def known(*ids: str, lock: bool = False) -> SmsMessage | None:
        found = looking(*ids, lock=lock)
        if not lock:
            both.wait(GENEROUS)  # neither sees the other's
        return found

    with isolated(level), mock.patch.object(rows, "find_existing", known), ThreadPoolExecutor(2) as pool:
        work = partial(elsewhere, lambda: entered.append(track_sms(omnimessage_id="an-omni-id")))
        for future in [pool.submit(work) for _ in range(2)]:
            future.result(GENEROUS)
    assert {message.pk for message in entered} == {SmsMessage.objects.get().pk}


@pytest.mark.parametrize("level", [level for level in SEEING if level != "snapshot"])
@pytest.mark.parametrize("ids", [{"sms_unique_id": "an-id"}, {"omnimessage_id": "an-omni-id"}])
def test_what_another_has_entered_since_our_transaction_began_is_found(level: str, ids: dict[str, Any]) -> None:
    others: list[SmsMessage] = []
    with isolated(level), transaction.atomic():
        assert not SmsMessage.objects.exists()
        elsewhere(lambda: others.append(track_sms(**ids)))
        assert [track_sms(**ids)] == others
