"""A transaction of several answers and another writer take the same two messages in opposite order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
import responses
from django.db import connection
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.polling import Poller, PollOutcome, PollResult, poll_now
from django_messente_dlr.receiving import apply
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import run_on_other_connection
from tests.locking import GENEROUS, ConcurrentTransaction, contention_errors, wait_until_lock_wait
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen
from tests.unit.polling.test_together import THREADS, Waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one lock, so that nobody can hold another"),
]


def lock(pk: int) -> None:
    SmsMessage.objects.select_for_update().get(pk=pk)


def test_answers_that_are_a_deadlocks_victim_together_are_each_written_once(
    messente: Messente, dlr_signals: SignalLog
) -> None:
    messages = {due().pk for _ in range(THREADS)}
    messente.add(responses.POST, f"{FIRST}/{REPORT}/", "OK DELIVERED")
    real, taken = receiving.record, list[int]()
    other = ConcurrentTransaction(lambda: lock(min(messages - {*taken})), lambda: lock(taken[0]))

    def record(report: Any, *, account: str, message_pk: int) -> Any:
        recorded = real(report, account=account, message_pk=message_pk)
        taken.append(message_pk)
        if len(taken) == 1:
            other.start()
            assert other.holds.wait(GENEROUS)
            other.may_go_on.set()
            wait_until_lock_wait()  # the other holds what is still to be taken, and waits for what was
        return recorded

    with (
        mock.patch("django_messente_dlr.polling.poller.SimpleQueue", Waiting),
        mock.patch.object(receiving, "record", record),
        contention_errors() as met,
    ):
        summary = Poller(concurrency=THREADS).run()
    other.finish()
    assert len(met) == 1
    assert "deadlock" in str(met[0]).lower()
    assert (summary.asked, summary.final, summary.failed) == (THREADS, THREADS, 0)
    assert {seen(message).status for message in SmsMessage.objects.all()} == {"delivered"}
    assert (
        list(DeliveryReport.objects.filter(source="poll").values_list("times_received", flat=True)) == [1] * THREADS
    )
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_a_person_who_asks_is_nobodys_victim(messente: Messente) -> None:
    one, two = due(), due()
    for _ in range(2):
        messente.answer(FIRST, REPORT, "OK SENT")
    rows = PendingPoll.objects.all()
    other = ConcurrentTransaction(
        lambda: rows.filter(pk=two.pk).update(due_at=timezone.now()),
        lambda: rows.filter(pk=one.pk).update(due_at=timezone.now()),
    )
    other.start()
    assert other.holds.wait(GENEROUS)
    told: list[PollResult] = []
    with contention_errors() as met, ThreadPoolExecutor(1) as people:

        def go_on() -> None:
            wait_until_lock_wait()
            other.may_go_on.set()
            connection.close()

        waiting = people.submit(go_on)
        told += poll_now([one, two])
        waiting.result(GENEROUS)
    other.finish()
    assert [result.outcome for result in told] == [PollOutcome.STILL_PENDING, PollOutcome.STILL_PENDING]
    assert len(met) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="MariaDB looks at foreign keys before it commits")
def test_a_message_that_is_deleted_while_its_answer_is_written_does_not_end_the_run(messente: Messente) -> None:
    gone, other = due(), due()
    for _ in range(2):
        messente.answer(FIRST, REPORT, "OK SENT")
    settled: list[int] = []

    def settle_and_delete(row: DeliveryReport, message: SmsMessage, *arguments: Any, **options: Any) -> list[str]:
        signals = apply.apply_report(row, message, *arguments, **options)
        if message.pk == gone.pk and not settled:
            settled.append(message.pk)
            run_on_other_connection(lambda: SmsMessage.objects.filter(pk=gone.pk).delete())
        return signals

    with mock.patch("django_messente_dlr.receiving.record.apply_report", settle_and_delete):
        summary = Poller(concurrency=1).run()
    assert settled == [gone.pk]
    assert summary.asked == 2
    assert seen(other).poll_count == 1
    assert DeliveryReport.objects.filter(source="poll").count() == 2


def test_an_answer_that_is_a_deadlocks_victim_by_itself_is_written_once(
    messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    report = parse_answer("OK DELIVERED", sms_unique_id=str(message.sms_unique_id))
    assert report is not None
    told = {"source": "poll", "received_at": timezone.now(), "outcome": "advanced", "account": message.account}

    def write_the_report() -> None:
        DeliveryReport.objects.create(**told, fingerprint=report.fingerprint(message.account))

    def lock_the_message() -> None:
        wait_until_lock_wait()
        lock(message.pk)

    other = ConcurrentTransaction(write_the_report, lock_the_message, undone=True)
    other.start()
    assert other.holds.wait(GENEROUS)
    other.may_go_on.set()
    with contention_errors() as met:
        summary = Poller().run()
    other.finish()
    assert len(met) == 1
    assert (summary.asked, summary.final, summary.failed) == (1, 1, 0)
    assert seen(message).status == "delivered"
    assert DeliveryReport.objects.get(message=message).times_received == 1
    assert dlr_signals.names.count("dlr_delivered") == 1
