"""A message is waited for from the moment it is entered until its end is known, on every way, and no longer."""

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


def is_waited_for(message: SmsMessage) -> bool:
    """Tell whether it is on the poller's list; what it says itself must agree with that."""
    listed = PendingPoll.objects.filter(pk=message.pk, account=message.account).exists()
    now = SmsMessage.objects.get(pk=message.pk)
    assert listed is (now.next_poll_at is not None) is SmsMessage.objects.pending().filter(pk=message.pk).exists()
    return listed


@pytest.mark.parametrize(
    ("stats", "waited_for"),
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
def test_it_is_waited_for_until_a_report_tells_its_end(stats: list[str], waited_for: bool) -> None:
    message = SmsMessageFactory.create()
    assert is_waited_for(message)
    for stat in stats:
        assert simulate_callback(message, stat).status_code == 200
    assert is_waited_for(message) is waited_for


def test_what_is_given_up_is_not_waited_for() -> None:
    message = SmsMessageFactory.create()
    record_final(message, Report(source=Source.POLL), Status.UNRESOLVED)
    assert not is_waited_for(message)


def test_what_is_prepared_and_what_is_tracked_is_waited_for() -> None:
    prepared = prepare_sms("+37255500000")
    assert is_waited_for(prepared)
    first = prepared.next_poll_at
    mark_sent(prepared, "an-id")
    assert first is not None
    assert (prepared.next_poll_at or first) > first
    assert is_waited_for(track_sms("another-id"))


def test_an_end_that_overtook_the_answer_to_sending_stays_the_end() -> None:
    message = prepare_sms("+37255500000")
    assert simulate_callback(message, "DELIVRD", sms_unique_id="an-id").status_code == 200
    mark_sent(message, "an-id")
    assert not is_waited_for(message)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_an_end_that_comes_while_it_is_being_claimed_is_the_end_of_waiting_too() -> None:
    message = SmsMessageFactory.create()
    later = timezone.now() + timedelta(minutes=5)
    claim = ConcurrentTransaction(lambda: PendingPoll.objects.update(due_at=later), lambda: None)
    claim.start()
    assert claim.holds.wait(GENEROUS)

    def report() -> int:
        try:
            return simulate_callback(message, "DELIVRD").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(report)
        wait_until_lock_wait()
        claim.may_go_on.set()
        claim.finish()
        assert answer.result(GENEROUS) == 200
    assert SmsMessage.objects.get(pk=message.pk).status == "delivered"
    assert not is_waited_for(message)


def test_a_row_that_the_project_entered_by_itself_is_waited_for_once_it_is_sent() -> None:
    message = SmsMessage.objects.create(account="default", recipient="+37255500000", created_at=timezone.now())
    assert not is_waited_for(message)
    mark_sent(message, "an-id")
    assert is_waited_for(message)


def test_no_index_names_a_column_that_an_ordinary_delivery_changes() -> None:
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
    named = {name for index in SmsMessage._meta.indexes for name in index.fields}
    assert changed.isdisjoint(indexed | named)
    assert {"recipient", "sms_unique_id", "uncommon_status"} <= indexed


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone writes rows without their indexes")
def test_postgresql_writes_an_ordinary_delivery_without_touching_an_index() -> None:
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


def test_a_message_that_is_only_built_is_waited_for_by_nobody() -> None:
    assert SmsMessageFactory.build().next_poll_at is None
    assert not PendingPoll.objects.exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own index of a primary key")
def test_pending_table__has_one_index_and_its_foreign_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA index_list({PendingPoll._meta.db_table})")
        assert [name for _, name, *_ in cursor.fetchall()] == ["messente_dlr_due"]
        cursor.execute(f"PRAGMA foreign_key_list({PendingPoll._meta.db_table})")
        assert [table for _, _, table, *_ in cursor.fetchall()] == [SmsMessage._meta.db_table]
