"""Deadlocks and locks on purpose: the callback gets 200, and its report is stored once."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.locking import GENEROUS, Other, contentions, wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


def report_of(message: SmsMessage) -> dict[str, Any]:
    """Return the fields of the report that `simulate_callback` sends, as another process would insert it."""
    report = parse_callback(f"sms_unique_id={message.sms_unique_id}&stat=DELIVRD")
    now = timezone.now()
    return {
        "message": message,
        "sms_unique_id": message.sms_unique_id,
        "account": message.account,
        "source": "callback",
        "stat": "DELIVRD",
        "status": "delivered",
        "received_at": now,
        "dispatched_at": now,
        "outcome": "advanced",
        "fingerprint": report.fingerprint(message.account),
    }


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has only one lock")
@pytest.mark.parametrize("undone", [True, False], ids=["other rolls back", "other commits"])
def test_callback__deadlock_victim_is_200_and_stored_once(
    undone: bool, each_path: str, dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()

    def insert_report() -> None:
        DeliveryReport.objects.create(**report_of(message))

    def update_message() -> None:
        wait_until_somebody_waits()  # the callback holds the message's row and waits for the other report
        SmsMessage.objects.filter(pk=message.pk).update(status=Status.DELIVERED.value, rank=Status.DELIVERED.rank)

    other = Other(insert_report, update_message, undone=undone)
    other.start()
    assert other.holds.wait(GENEROUS)
    other.may_go_on.set()
    with contentions() as errors:
        assert simulate_callback(message).status_code == 200
    other.finish()
    assert ["deadlock" in str(error).lower() for error in errors] == [True]
    report = DeliveryReport.objects.get(message=message)
    assert report.times_received == (1 if undone else 2)
    message.refresh_from_db()
    assert message.status == "delivered"
    assert dlr_signals.names.count("dlr_delivered") == (1 if undone else 0)  # otherwise the other process sends it
    assert not DeliveryReport.objects.undispatched().exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Database servers lock single rows")
def test_callback__sqlite_lock_is_retried_until_released(
    database: str, tmp_path: Path, dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def release_lock(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if len(errors) == 3:
            other.rollback()
        return execute(sql, params, many, context)

    with contentions() as errors, connection.execute_wrapper(release_lock):
        assert simulate_callback(message).status_code == 200
    other.close()
    assert [str(error) for error in errors] == ["database is locked"] * 3
    assert DeliveryReport.objects.get().times_received == 1
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
