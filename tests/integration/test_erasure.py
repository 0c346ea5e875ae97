"""A report that is recorded at the same moment as its recipient is erased does not keep the number."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.isolation import LEVELS, isolated, run_on_other_connection
from tests.locking import GENEROUS, wait_until_lock_wait
from tests.spellings import NUMBER, contains_the_number

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]
every_level = pytest.mark.parametrize("level", LEVELS[connection.vendor])
every_stat = pytest.mark.parametrize("stat", ["DELIVRD", "ACK"])


def numbers_left() -> list[Any]:
    rows = [*SmsMessage.objects.values(), *DeliveryReport.objects.values()]
    return [row for row in rows if contains_the_number(json.dumps(row, default=str, ensure_ascii=False))]


def deliver(message: SmsMessage, stat: str) -> None:
    """Send a callback, and again after a 503, as Messente does."""
    payload = {"message_id": message.sms_unique_id, "to": NUMBER, "status": stat, "error": f"{NUMBER} is wrong"}
    statuses: list[int] = []
    while statuses[-1:] != [200]:
        statuses.append(simulate_omnichannel_callback(payload).status_code)
        assert statuses[-1] in {200, 503}
        assert len(statuses) < 6


class EraseBefore:
    """An execute wrapper that erases the number on another connection before the first statement of some kind.

    Args:
        kind: a part of the statement's SQL.
        waits: whether the erasure has to wait for a lock of this connection, so that it ends later.
    """

    def __init__(self, kind: str, *, waits: bool) -> None:
        self._kind, self._waits = kind, waits
        self.thread: threading.Thread | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.thread is None and self._kind in sql:
            self.thread = threading.Thread(
                target=run_on_other_connection, args=(lambda: erase_recipients([NUMBER]),), daemon=True
            )
            self.thread.start()
            if self._waits:
                wait_until_lock_wait()
            else:
                self.thread.join(GENEROUS)
        return execute(sql, params, many, context)

    def finish(self) -> None:
        assert self.thread is not None
        self.thread.join(GENEROUS)
        assert not self.thread.is_alive()


@every_level
@every_stat
@pytest.mark.parametrize(
    ("kind", "waits"),
    [("SELECT", False), ("UPDATE", False), ("INSERT INTO django_messente_dlr_deliveryreport", True)],
)
def test_report__message_is_erased_meanwhile(orm_path: None, level: str, stat: str, kind: str, waits: bool) -> None:
    """Before the report reads the message, before it changes or locks it, and while it holds the message's lock."""
    message = SmsMessageFactory.create(recipient=NUMBER, stat="ACK")
    if kind.startswith("INSERT"):
        kind = f"INSERT INTO {connection.ops.quote_name('django_messente_dlr_deliveryreport')}"
    with isolated(level):
        erase_before = EraseBefore(kind, waits=waits)
        with connection.execute_wrapper(erase_before):
            deliver(message, stat)
        erase_before.finish()
    assert numbers_left() == []
    message.refresh_from_db()
    assert message.is_erased
    assert message.reports.count() == 1


@every_level
def test_callbacks__during_the_erasure(level: str) -> None:
    """Four processes deliver reports of all messages while the number is erased."""
    messages = SmsMessageFactory.create_batch(40, recipient=NUMBER)
    start = threading.Barrier(5, timeout=GENEROUS)

    def deliver_all(part: int) -> None:
        start.wait()
        for message in messages[part::4]:
            for stat in ("ACK", "DELIVRD", "SEEN"):
                deliver(message, stat)

    with isolated(level):
        threads = [
            threading.Thread(target=run_on_other_connection, args=(lambda part=part: deliver_all(part),), daemon=True)
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        start.wait()
        erase_recipients([NUMBER], size=7)
        for thread in threads:
            thread.join(GENEROUS)
    assert numbers_left() == []
    assert DeliveryReport.objects.count() == 120
    assert SmsMessage.objects.filter(status="seen", recipient__startswith="erased-").count() == 40
