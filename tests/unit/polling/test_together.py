"""Answers that are ready together are committed together, and what goes wrong with one is not the others' matter."""

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
    """Answers by id, which come when as many questions are asked as there are threads."""
    told: dict[str, str] = {}
    together = threading.Barrier(THREADS)

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        together.wait(timeout=60)
        return 200, {}, next((said for name, said in told.items() if name in request.body), "OK DELIVERED")

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    return told


class Waiting(queue.Queue[Any]):
    """Gives the first answer when all are there."""

    complete = False

    def get(self, *args: Any, **kwargs: Any) -> Any:
        first = super().get(*args, **kwargs)
        while self.qsize() < THREADS - 1 and not self.complete:
            time.sleep(0.001)
        self.complete = True
        return first


def run() -> Summary:
    with mock.patch("django_messente_dlr.polling.poller.SimpleQueue", Waiting):
        return Poller(concurrency=THREADS).run()


def test_what_is_ready_together_is_committed_together_and_told_of_afterwards(
    answers: dict[str, str], dlr_signals: SignalLog
) -> None:
    for _ in range(THREADS):
        due()
    delivered: list[int] = []

    def look(**kwargs: object) -> None:
        delivered.append(SmsMessage.objects.delivered().count())

    dlr_delivered.connect(look)
    assert run().final == THREADS
    assert delivered == [THREADS] * THREADS
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_one_that_is_written_already_leaves_the_others_written_once(
    answers: dict[str, str], dlr_signals: SignalLog
) -> None:
    """There is no savepoint for each, so that it undoes them all, and they are written again one by one."""
    known, *others = [due() for _ in range(THREADS)]
    report = parse_answer("OK DELIVERED", sms_unique_id=str(known.sms_unique_id))
    assert report
    receiving.record(report, account=known.account, message_pk=known.pk)
    SmsMessage.objects.filter(pk=known.pk).update(status="sent", rank=10)
    known.pending.save(force_insert=True)
    dlr_signals.clear()
    assert run().asked == THREADS
    assert [row.status for row in map(seen, others)] == ["delivered"] * (THREADS - 1)
    assert [row.reports.get().times_received for row in map(seen, (known, *others))] == [2, 1, 1, 1]
    assert dlr_signals.names.count("dlr_received") == THREADS - 1


def test_one_that_cannot_be_written_leaves_the_others_written_and_their_signals_sent(
    answers: dict[str, str], dlr_signals: SignalLog
) -> None:
    messages = [due() for _ in range(THREADS)]
    real, failed = receiving.record, list[int]()

    def record(report: Any, *, account: str, message_pk: int | None = None) -> Any:
        if message_pk == messages[1].pk and not failed:
            failed.append(message_pk)
            raise OperationalError("deadlock detected")
        return real(report, account=account, message_pk=message_pk)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert failed
    assert (summary.asked, summary.final) == (THREADS, THREADS)
    assert {seen(message).status for message in messages} == {"delivered"}
    assert dlr_signals.names.count("dlr_delivered") == THREADS


def test_a_message_that_keeps_changing_is_asked_about_again(answers: dict[str, str]) -> None:
    messages = [due() for _ in range(THREADS)]
    real = receiving.record

    def record(report: Any, *, account: str, message_pk: int | None = None) -> Any:
        if message_pk == messages[0].pk:
            raise receiving.WriteConflict("it kept changing")
        return real(report, account=account, message_pk=message_pk)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert (summary.final, summary.open) == (THREADS - 1, 1)
    assert seen(messages[0]).poll_count == 1


def test_an_account_that_is_refused_stays_stopped_when_its_batch_is_undone(
    answers: dict[str, str], settings: Any
) -> None:
    refused, *others = [due(account="marketing"), *[due() for _ in range(THREADS - 1)]]
    answers[str(refused.sms_unique_id)] = "ERROR 101"
    real, failed = receiving.record, list[int]()

    def record(report: Any, *, account: str, message_pk: int | None = None) -> Any:
        if message_pk == others[-1].pk and not failed:
            failed.append(message_pk)
            raise OperationalError("deadlock detected")
        return real(report, account=account, message_pk=message_pk)

    with mock.patch.object(receiving, "record", record):
        summary = run()
    assert list(summary.stopped) == ["marketing"]
    assert "Compare USERNAME" in Account.objects.get(name="marketing").last_poll_error
    assert {seen(message).status for message in others} == {"delivered"}
