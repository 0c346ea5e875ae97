"""A transaction with several responses and another writer lock the same two messages in opposite order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
import responses
from django.db import connection
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.callbacks import MessageKey
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.polling import Poller, PollOutcome, PollResult, poll_now
from django_messente_dlr.receiving import apply
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import run_on_other_connection
from tests.locking import GENEROUS, ConcurrentTransaction, contention_errors, wait_until_lock_wait
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen
from tests.unit.polling.test_batches import THREADS, FullBatchQueue

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one lock for all writers"),
]


def lock(pk: int) -> None:
    SmsMessage.objects.select_for_update().get(pk=pk)


def test_run__deadlock_of_a_batch(messente: Messente, dlr_signals: SignalLog) -> None:
    messages = {due().pk for _ in range(THREADS)}
    messente.add(responses.POST, f"{FIRST}/{REPORT}/", "OK DELIVERED")
    original, locked = receiving.record, list[int]()
    other = ConcurrentTransaction(lambda: lock(min(messages - {*locked})), lambda: lock(locked[0]))

    def record(report: Any, *, account: str, message_key: MessageKey) -> Any:
        result = original(report, account=account, message_key=message_key)
        locked.append(message_key.pk)
        if len(locked) == 1:
            other.start()
            assert other.holds.wait(GENEROUS)
            other.may_go_on.set()
            wait_until_lock_wait()  # the other holds the lock of the next message and waits for the first
        return result

    with (
        mock.patch("django_messente_dlr.polling.poller.SimpleQueue", FullBatchQueue),
        mock.patch.object(receiving, "record", record),
        contention_errors() as errors,
    ):
        summary = Poller(concurrency=THREADS).run()
    other.finish()
    assert len(errors) == 1
    assert "deadlock" in str(errors[0]).lower()
    assert (summary.asked, summary.final, summary.failed) == (THREADS, THREADS, 0)
    assert {seen(message).status for message in SmsMessage.objects.all()} == {"delivered"}
    assert (
        list(DeliveryReport.objects.filter(source="poll").values_list("times_received", flat=True)) == [1] * THREADS
    )
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_poll_now__deadlock(messente: Messente) -> None:
    one, two = due(), due()
    for _ in range(2):
        messente.answer(FIRST, REPORT, "OK SENT")
    rows = PendingPoll.objects.all()
    # The claim locks rows in the order in which the database finds them, which need not be that of their keys.
    first, second = (row.pk for row in rows.filter(pk__in=[one.pk, two.pk]))
    other = ConcurrentTransaction(
        lambda: rows.filter(pk=second).update(due_at=timezone.now()),
        lambda: rows.filter(pk=first).update(due_at=timezone.now()),
    )
    other.start()
    assert other.holds.wait(GENEROUS)
    results: list[PollResult] = []
    with contention_errors() as errors, ThreadPoolExecutor(1) as pool:

        def release_other() -> None:
            wait_until_lock_wait()
            other.may_go_on.set()
            connection.close()

        future = pool.submit(release_other)
        results += poll_now([one, two])
        future.result(GENEROUS)
    other.finish()
    assert [result.outcome for result in results] == [PollOutcome.STILL_PENDING, PollOutcome.STILL_PENDING]
    assert len(errors) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="MariaDB checks foreign keys before the commit")
def test_run__message_is_deleted_meanwhile(messente: Messente) -> None:
    # The report changes no column of a message whose stat is already SENT, so it does not lock the row.
    deleted, other = due(stat="SENT"), due()
    for _ in range(2):
        messente.answer(FIRST, REPORT, "OK SENT")
    applied: list[int] = []

    def apply_and_delete(row: DeliveryReport, message: SmsMessage, *arguments: Any, **options: Any) -> list[str]:
        signals = apply.apply_report(row, message, *arguments, **options)
        if message.pk == deleted.pk and not applied:
            applied.append(message.pk)
            run_on_other_connection(lambda: SmsMessage.objects.filter(pk=deleted.pk).delete())
        return signals

    with mock.patch("django_messente_dlr.receiving.record.apply_report", apply_and_delete):
        summary = Poller(concurrency=1).run()
    assert applied == [deleted.pk]
    assert summary.asked == 2
    assert seen(other).poll_count == 1
    assert DeliveryReport.objects.filter(source="poll").count() == 2


def test_run__deadlock_of_one_response(messente: Messente, dlr_signals: SignalLog) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    report = parse_answer("OK DELIVERED", sms_unique_id=str(message.sms_unique_id))
    assert report is not None
    values = {"source": "poll", "received_at": timezone.now(), "outcome": "advanced", "account": message.account}

    def write_the_report() -> None:
        DeliveryReport.objects.create(**values, fingerprint=report.fingerprint(message.account))

    def lock_the_message() -> None:
        wait_until_lock_wait()
        lock(message.pk)

    other = ConcurrentTransaction(write_the_report, lock_the_message, undone=True)
    other.start()
    assert other.holds.wait(GENEROUS)
    other.may_go_on.set()
    with contention_errors() as errors:
        summary = Poller().run()
    other.finish()
    assert len(errors) == 1
    assert (summary.asked, summary.final, summary.failed) == (1, 1, 0)
    assert seen(message).status == "delivered"
    assert DeliveryReport.objects.get(message=message).times_received == 1
    assert dlr_signals.names.count("dlr_delivered") == 1
