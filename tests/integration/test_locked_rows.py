"""Rows that another transaction has locked: a callback does not wait for them, or two seconds at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.receiving import fast_path
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils import db_retry
from tests.isolation import LEVELS, isolated
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


def lock_account() -> object:
    return Account.objects.select_for_update().get(name="default")


def track_omnimessage() -> SmsMessage:
    return track_sms(omnimessage_id="an-omnimessage")


@pytest.mark.parametrize("has_account", [True, False])
def test_uncommitted_omnimessage__delays_no_callback(*, has_account: bool) -> None:
    """A project tracks a message in a transaction that lasts. Callbacks write the account's row meanwhile."""
    if has_account:
        AccountFactory.create()
    with locked(track_omnimessage):
        for message in SmsMessageFactory.create_batch(12):
            assert simulate_callback(message).status_code == 200
        assert simulate_callback(SmsMessageFactory.create(), "REJECTD", 4).status_code == 200
        assert accounts.is_held("default")
        assert Account.objects.get().last_callback_at is not None


@pytest.mark.parametrize("level", LEVELS[connection.vendor])
def test_uncommitted_omnimessage__is_tracked_once(level: str) -> None:
    with isolated(level):
        for _ in range(2):  # the first time, the row that is locked does not exist
            other = ConcurrentTransaction(track_omnimessage, wait_until_lock_wait)
            other.start()
            assert other.holds.wait(GENEROUS)
            other.may_go_on.set()
            message = track_omnimessage()
            other.finish()
            assert SmsMessage.objects.get() == message
            SmsMessage.objects.all().delete()


def test_uncommitted_omnimessage__gets_its_orphan() -> None:
    AccountFactory.create()
    report = {"message_id": "an-id", "omnimessage_id": "an-omnimessage", "status": "DELIVRD", "err": 0}
    with locked(track_omnimessage):
        assert simulate_omnichannel_callback(report).status_code == 200
        assert DeliveryReport.objects.exclude(account="other").get().outcome == "orphan"
    assert SmsMessage.objects.get().status == "delivered"


def test_locked_account__activity_is_skipped() -> None:
    now = timezone.now()
    AccountFactory.create(held=True)
    with locked(lock_account):
        accounts.record_callback("default", now=now, keys=["a-key"])
        accounts.record_poll("default", now=now, error="It was refused.")
        assert not accounts.record_balance("default", Decimal(5), now=now)
    account = Account.objects.get()
    assert (account.last_callback_at, account.last_poll_at, account.balance) == (None, None, None)
    accounts.record_callback("default", now=now + timedelta(minutes=1), keys=["a-key"])
    assert accounts.record_balance("default", Decimal(5), now=now + timedelta(minutes=1))
    assert list(Account.objects.get().key_uses) == ["a-key"]


def test_locked_account__is_tried_by_the_first_callback_only() -> None:
    AccountFactory.create()
    with locked(lock_account), recorded_statements("messente_dlr_account") as statements:
        for message in SmsMessageFactory.create_batch(12):
            assert simulate_callback(message).status_code == 200
    assert len([sql for sql in statements if "smsmessage" not in sql and "FOR UPDATE" in sql]) == 1
    assert Account.objects.get().last_callback_at is None


def test_locked_account__start_of_a_hold_is_answered_503_when_the_lock_lasts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_retry, "MAX_LOCK_WAIT", 1)
    AccountFactory.create()
    message = SmsMessageFactory.create()
    with locked(lock_account):
        assert simulate_callback(message, "REJECTD", 4).status_code == 503
    assert not message.reports.exists()
    assert simulate_callback(message, "REJECTD", 4).status_code == 200
    assert accounts.is_held("default")


def test_locked_account__on_hold_delays_no_callback_without_credit() -> None:
    AccountFactory.create(held=True)
    message = SmsMessageFactory.create()
    with locked(lock_account):
        assert simulate_callback(message, "REJECTD", 4).status_code == 200
    assert message.reports.get().outcome == "advanced"


@contextmanager
def recorded_statements(table: str) -> Iterator[list[str]]:
    """Collect the SQL of this connection that names a table."""
    statements: list[str] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


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
