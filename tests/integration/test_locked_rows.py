"""Rows that another transaction has locked: a callback does not wait for them, or two seconds at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.receiving import fast_path
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils import db_retry
from tests.locking import GENEROUS, ConcurrentTransaction, wait_until_lock_wait

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows"),
]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the fast path returned for each report."""
    results: list[bool] = []
    try_write = fast_path.try_write

    def recorded(*args: Any, **options: Any) -> bool:
        results.append(try_write(*args, **options))
        return results[-1]

    monkeypatch.setattr(fast_path, "try_write", recorded)
    return results


@contextmanager
def locked(
    first: Callable[[], object], second: Callable[[], object] = lambda: None
) -> Iterator[ConcurrentTransaction]:
    """Run a transaction on another connection that has done the first, and does the second when it may go on."""
    other = ConcurrentTransaction(first, second)
    other.start()
    assert other.holds.wait(GENEROUS)
    yield other
    other.may_go_on.set()
    other.finish()


def lock(message: SmsMessage) -> Callable[[], object]:
    return lambda: SmsMessage.objects.select_for_update().get(pk=message.pk)


def test_locked_message__is_waited_for_by_the_orm_path(written: list[bool], dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create()

    def change() -> object:
        wait_until_lock_wait()
        return SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})

    with locked(lock(message), change) as other:
        other.may_go_on.set()
        assert simulate_callback(message).status_code == 200
    assert written == [False]
    delivered = dlr_signals.arguments("dlr_delivered")["message"]
    assert (delivered.status, delivered.metadata) == ("delivered", {"order": 18})
    assert message.reports.get().outcome == "advanced"


@pytest.mark.parametrize("with_receivers", [True, False])
def test_uncommitted_message__is_not_waited_for(
    written: list[bool], request: pytest.FixtureRequest, *, with_receivers: bool
) -> None:
    if with_receivers:
        request.getfixturevalue("dlr_signals")
    created: list[SmsMessage] = []
    with locked(lambda: created.append(SmsMessageFactory.create())):
        assert simulate_callback(created[0]).status_code == 200
        report = DeliveryReport.objects.exclude(account="other").get()
        assert (written, report.outcome) == ([False], "orphan")


def test_locked_message__is_answered_503_when_the_lock_lasts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messente repeats the callback, and no worker is occupied for longer than two seconds."""
    monkeypatch.setattr(db_retry, "MAX_LOCK_WAIT", 1)
    message = SmsMessageFactory.create()
    before = settings_of_the_connection()
    attempts = []

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "smsmessage" in sql:
            attempts.append(time.monotonic())
        return execute(sql, params, many, context)

    with locked(lock(message)), connection.execute_wrapper(count):
        assert simulate_callback(message).status_code == 503
    assert len(attempts) == 1  # the wait is not repeated
    assert not message.reports.exists()
    assert settings_of_the_connection() == before
    assert simulate_callback(message).status_code == 200
    assert message.reports.get().outcome == "advanced"


def test_locked_report__is_answered_503_when_the_lock_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_retry, "MAX_LOCK_WAIT", 1)
    message = SmsMessageFactory.create()
    assert simulate_callback(message).status_code == 200
    report = message.reports.get()
    with locked(lambda: DeliveryReport.objects.select_for_update().get(pk=report.pk)):
        assert simulate_callback(message).status_code == 503  # a duplicate is counted on the report
    assert simulate_callback(message).status_code == 200
    report.refresh_from_db()
    assert report.times_received == 2


def test_lock_wait__is_the_callers_in_its_own_transaction() -> None:
    with transaction.atomic():
        before = settings_of_the_connection()
        with db_retry.bounded_transaction("default"):
            assert settings_of_the_connection() == before


def settings_of_the_connection() -> object:
    """Return how long this connection waits for a lock."""
    name = "current_setting('lock_timeout')" if connection.vendor == "postgresql" else "@@innodb_lock_wait_timeout"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name}")
        return cursor.fetchone()[0]
