"""A message has a pending poll from its creation until it has a final status, and no longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import record_final
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.locking import GENEROUS, ConcurrentTransaction, wait_until_lock_wait

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_path")]


def has_pending_poll(message: SmsMessage) -> bool:
    """Return whether a message has a pending poll, after checking that its attribute and the queryset agree."""
    is_pending = PendingPoll.objects.filter(pk=message.pk, account=message.account).exists()
    stored = SmsMessage.objects.get(pk=message.pk)
    assert (
        is_pending is (stored.next_poll_at is not None) is SmsMessage.objects.pending().filter(pk=message.pk).exists()
    )
    return is_pending


@pytest.mark.parametrize(
    ("stats", "is_pending"),
    [
        (["ACCEPTD"], True),
        (["PONDERD"], True),
        (["DELIVRD"], False),
        (["UNDELIV"], False),
        (["REJECTD"], False),
        (["SEEN"], False),
        (["UNDELIV", "DELIVRD"], False),
        (["DELIVRD", "ACCEPTD"], False),
    ],
)
def test_pending_poll__is_deleted_by_a_final_report(stats: list[str], is_pending: bool) -> None:
    message = SmsMessageFactory.create()
    assert has_pending_poll(message)
    for stat in stats:
        assert simulate_callback(message, stat).status_code == 200
    assert has_pending_poll(message) is is_pending


def test_pending_poll__is_deleted_when_unresolved() -> None:
    message = SmsMessageFactory.create()
    record_final(message, Report(source=Source.POLL), Status.UNRESOLVED)
    assert not has_pending_poll(message)


def test_pending_poll__is_created_by_prepare_and_track() -> None:
    prepared = prepare_sms("+37255500000")
    assert has_pending_poll(prepared)
    first_poll_at = prepared.next_poll_at
    mark_sent(prepared, "an-id")
    assert first_poll_at is not None
    assert (prepared.next_poll_at or first_poll_at) > first_poll_at
    assert has_pending_poll(track_sms("another-id"))


def test_mark_sent__keeps_an_earlier_final_status() -> None:
    message = prepare_sms("+37255500000")
    assert simulate_callback(message, "DELIVRD", sms_unique_id="an-id").status_code == 200
    mark_sent(message, "an-id")
    assert not has_pending_poll(message)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_final_report__deletes_a_poll_that_is_being_claimed() -> None:
    message = SmsMessageFactory.create()
    later = timezone.now() + timedelta(minutes=5)
    claim = ConcurrentTransaction(lambda: PendingPoll.objects.update(due_at=later), lambda: None)
    claim.start()
    assert claim.holds.wait(GENEROUS)

    def receive_report() -> int:
        try:
            return simulate_callback(message, "DELIVRD").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(receive_report)
        wait_until_lock_wait()
        claim.may_go_on.set()
        claim.finish()
        assert response.result(GENEROUS) == 200
    assert SmsMessage.objects.get(pk=message.pk).status == "delivered"
    assert not has_pending_poll(message)


def test_mark_sent__creates_a_missing_pending_poll() -> None:
    message = SmsMessage.objects.create(account="default", recipient="+37255500000", created_at=timezone.now())
    assert not has_pending_poll(message)
    mark_sent(message, "an-id")
    assert has_pending_poll(message)


def test_delivery__changes_no_indexed_column() -> None:
    message = SmsMessageFactory.create()

    def columns() -> dict[str, Any]:
        return dict(SmsMessage.objects.filter(pk=message.pk).values().get())

    before = columns()
    simulate_callback(message, "DELIVRD", "000")
    after = columns()
    changed = {name for name in before if before[name] != after[name]}
    assert {"status", "rank", "err"} <= changed
    with connection.cursor() as cursor:
        indexes = connection.introspection.get_constraints(cursor, SmsMessage._meta.db_table)
    indexed = {
        column
        for index in indexes.values()
        if index["index"] or index["unique"] or index["primary_key"]
        for column in index["columns"]
    }
    index_fields = {name for index in SmsMessage._meta.indexes for name in index.fields}
    assert changed.isdisjoint(indexed | index_fields)
    assert {"recipient", "sms_unique_id", "uncommon_status"} <= indexed


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has heap-only tuples")
def test_delivery__is_a_hot_update_on_postgresql() -> None:
    message = SmsMessageFactory.create()
    with transaction.atomic():
        assert simulate_callback(message, "DELIVRD", "000").status_code == 200
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)"
                " FROM pg_class WHERE oid = %s::regclass",
                [SmsMessage._meta.db_table],
            )
            assert cursor.fetchone() == (1, 1)
    message.refresh_from_db()
    assert message.status == "delivered"


def test_unsaved_message__has_no_pending_poll() -> None:
    assert SmsMessageFactory.build().next_poll_at is None
    assert not PendingPoll.objects.exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has rowids")
def test_pending_table__has_one_index_and_its_foreign_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA index_list({PendingPoll._meta.db_table})")
        assert [name for _, name, *_ in cursor.fetchall()] == ["messente_dlr_due"]
        cursor.execute(f"PRAGMA foreign_key_list({PendingPoll._meta.db_table})")
        assert [table for _, _, table, *_ in cursor.fetchall()] == [SmsMessage._meta.db_table]
