"""Responses that are ready at the same time are committed in one batch, and an error of one affects no other."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any
from unittest import mock

import pytest
import responses
from django.db import OperationalError

from django_messente_dlr import receiving
from django_messente_dlr.callbacks import MessageKey
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.polling import Poller, Summary
from django_messente_dlr.signals import dlr_delivered
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4


@pytest.fixture
def answers(messente: Messente) -> dict[str, str]:
    """Response bodies by message id. They are sent when all threads have sent a request."""
    bodies: dict[str, str] = {}
    barrier = threading.Barrier(THREADS)

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        barrier.wait(timeout=60)
        return 200, {}, next((body for name, body in bodies.items() if name in request.body), "OK DELIVERED")

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    return bodies


class FullBatchQueue(queue.Queue[Any]):
    """Return the first response when all are in the queue, so that they form one batch."""

    complete = False

    def get(self, *args: Any, **kwargs: Any) -> Any:
        first = super().get(*args, **kwargs)
        while self.qsize() < THREADS - 1 and not self.complete:
            time.sleep(0.001)
        self.complete = True
        return first


def run() -> Summary:
    with mock.patch("django_messente_dlr.polling.poller.SimpleQueue", FullBatchQueue):
        return Poller(concurrency=THREADS).run()


def test_run__signals_after_commit_of_the_batch(answers: dict[str, str], dlr_signals: SignalLog) -> None:
    for _ in range(THREADS):
        due()
    delivered: list[int] = []

    def count_delivered(**kwargs: object) -> None:
        delivered.append(SmsMessage.objects.delivered().count())

    dlr_delivered.connect(count_delivered)
    assert run().final == THREADS
    assert delivered == [THREADS] * THREADS
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_run__duplicate_in_a_batch(answers: dict[str, str], dlr_signals: SignalLog) -> None:
    """There is no savepoint for each, so one duplicate rolls back the batch, and each is written in a transaction."""
    recorded, *others = [due() for _ in range(THREADS)]
    report = parse_answer("OK DELIVERED", sms_unique_id=str(recorded.sms_unique_id))
    assert report
    receiving.record(report, account=recorded.account, message_key=recorded.callback_key)
    SmsMessage.objects.filter(pk=recorded.pk).update(status="sent", rank=10)
    recorded.pending.save(force_insert=True)
    dlr_signals.clear()
    assert run().asked == THREADS
    assert [row.status for row in map(seen, others)] == ["delivered"] * (THREADS - 1)
    assert [row.reports.get().times_received for row in map(seen, (recorded, *others))] == [2, 1, 1, 1]
    assert dlr_signals.names.count("dlr_received") == THREADS - 1


def test_run__error_in_a_batch(answers: dict[str, str], dlr_signals: SignalLog) -> None:
    messages = [due() for _ in range(THREADS)]
    original, failed = receiving.record, list[int]()

    def record(report: Any, *, account: str, message_key: MessageKey) -> Any:
        if message_key.pk == messages[1].pk and not failed:
            failed.append(message_key.pk)
            raise OperationalError("deadlock detected")
        return original(report, account=account, message_key=message_key)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert failed
    assert (summary.asked, summary.final) == (THREADS, THREADS)
    assert {seen(message).status for message in messages} == {"delivered"}
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_run__write_conflict_in_a_batch(answers: dict[str, str]) -> None:
    messages = [due() for _ in range(THREADS)]
    original = receiving.record

    def record(report: Any, *, account: str, message_key: MessageKey) -> Any:
        if message_key.pk == messages[0].pk:
            raise receiving.WriteConflict("it kept changing")
        return original(report, account=account, message_key=message_key)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert (summary.final, summary.open) == (THREADS - 1, 1)
    assert seen(messages[0]).poll_count == 1


def test_run__refusal_survives_rollback_of_the_batch(answers: dict[str, str], settings: Any) -> None:
    refused, *others = [due(account="marketing"), *[due() for _ in range(THREADS - 1)]]
    answers[str(refused.sms_unique_id)] = "ERROR 101"
    original, failed = receiving.record, list[int]()

    def record(report: Any, *, account: str, message_key: MessageKey) -> Any:
        if message_key.pk == others[-1].pk and not failed:
            failed.append(message_key.pk)
            raise OperationalError("deadlock detected")
        return original(report, account=account, message_key=message_key)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert list(summary.stopped) == ["marketing"]
    assert "Compare USERNAME" in Account.objects.get(name="marketing").poll_error_description
    assert {seen(message).status for message in others} == {"delivered"}
