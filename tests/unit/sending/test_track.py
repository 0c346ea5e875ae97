"""`track_sms` in concurrent transactions records a message once."""

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
# On PostgreSQL, a transaction of a higher level does not see newer rows, so the project must run it again.
LEVELS_THAT_SEE_NEWER_ROWS = [
    level for level in LEVELS[connection.vendor] if connection.vendor == "mysql" or level == "read committed"
]


@pytest.mark.parametrize("level", LEVELS_THAT_SEE_NEWER_ROWS)
def test_track_sms__concurrent_calls_record_one_omnimessage(level: str) -> None:
    barrier = threading.Barrier(2)
    find_existing = rows.find_existing
    messages: list[SmsMessage] = []

    def find_and_wait(*ids: str, lock: bool = False) -> SmsMessage | None:
        message = find_existing(*ids, lock=lock)
        if not lock:
            barrier.wait(GENEROUS)  # both first queries run before either insert
        return message

    with isolated(level), mock.patch.object(rows, "find_existing", find_and_wait), ThreadPoolExecutor(2) as pool:
        track = partial(elsewhere, lambda: messages.append(track_sms(omnimessage_id="an-omni-id")))
        for future in [pool.submit(track) for _ in range(2)]:
            future.result(GENEROUS)
    assert {message.pk for message in messages} == {SmsMessage.objects.get().pk}


@pytest.mark.parametrize("level", [level for level in LEVELS_THAT_SEE_NEWER_ROWS if level != "snapshot"])
@pytest.mark.parametrize("ids", [{"sms_unique_id": "an-id"}, {"omnimessage_id": "an-omni-id"}])
def test_track_sms__finds_row_newer_than_transaction(level: str, ids: dict[str, Any]) -> None:
    messages: list[SmsMessage] = []
    with isolated(level), transaction.atomic():
        assert not SmsMessage.objects.exists()
        elsewhere(lambda: messages.append(track_sms(**ids)))
        assert [track_sms(**ids)] == messages
