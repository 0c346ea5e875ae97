"""`QueueWorker`: what each answer of Messente does to a message, and the order in which messages are sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from django_messente_dlr.backends import locmem
from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import Sms, Viber, queue_many, queue_message, queue_sms
from django_messente_dlr.sending.queue import claims, results, worker
from django_messente_dlr.sending.queue.attempt import attempt
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import run_on_other_connection
from tests.unit.sending.answers import OMNICHANNEL_URL, SMS_URL, accept, accepted

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
LEASE = timedelta(minutes=5)


@pytest.fixture
def outbox(settings: Any) -> Iterator[list[Any]]:
    """Send to the list in memory."""
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "BACKEND": "django_messente_dlr.backends.locmem.Backend",
        "QUEUE_RATE": 10_000,
    }
    locmem.outbox.clear()
    yield locmem.outbox
    locmem.outbox.clear()


def stored(message: SmsMessage) -> SmsMessage:
    return SmsMessage.objects.select_related("queued", "pending").get(pk=message.pk)


def make_due() -> None:
    QueuedMessage.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_accepted__stores_the_id_and_removes_the_row(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    message = queue_sms(NUMBER, "Tere", sender="Shop")
    assert QueueWorker().run().sent == 1
    message = stored(message)
    assert (message.status, message.sms_unique_id) == ("sent", "id-0")
    assert message.next_poll_at is not None
    assert not QueuedMessage.objects.exists()
    assert "Tere" in str(fake_messente.calls[0].request.body)


def test_several_channels__are_sent(omnichannel: None, fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "sms"), status=201)
    message = queue_message(NUMBER, [Viber("Tere"), Sms("Hello")])
    QueueWorker().run()
    message = stored(message)
    assert (message.status, message.omnimessage_id, message.channel_count) == ("sent", "an-omni-id", 2)
    assert [channel["message_id"] for channel in message.channels] == ["id-0", "id-1"]


@pytest.mark.parametrize(
    ("status", "body", "is_temporary"),
    [(429, "", True), (200, "FAILED 209", True), (200, "ERROR 111", False)],
)
def test_certainly_not_sent__waits_or_is_refused(
    status: int, body: str, is_temporary: bool, fake_messente: responses.RequestsMock, dlr_signals: SignalLog
) -> None:
    fake_messente.post(SMS_URL, body, status=status)
    message = queue_sms(NUMBER, "Tere")
    before = timezone.now()
    summary = QueueWorker().run()
    message = stored(message)
    assert not PendingPoll.objects.exists()
    if is_temporary:
        assert (summary.postponed, message.status, message.queued.attempts) == (1, "queued", 1)
        assert message.queued.attempted_at is None
        assert message.queued.leased_until is None
        assert message.queued.due_at is not None
        assert message.queued.due_at > before + timedelta(seconds=20)
        assert dlr_signals.names == []
    else:
        assert (summary.refused, message.status) == (1, "rejected")
        assert not QueuedMessage.objects.exists()
        assert "dlr_failed" in dlr_signals.names


def test_no_connection__pauses_the_queue() -> None:
    """Port 9 refuses connections. The first message in each run uses up an attempt, not the whole queue."""
    queue_many({"to": NUMBER, "text": str(number)} for number in range(50))
    stop = threading.Event()
    timer = threading.Timer(2.0, stop.set)
    timer.start()
    summary = QueueWorker(concurrency=1, stop=stop).run()
    timer.cancel()
    assert 1 <= summary.postponed <= 3
    assert QueuedMessage.objects.waiting(timezone.now()).count() == 50


def test_retry_after__delays_the_next_attempt(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(SMS_URL, status=429, headers={"Retry-After": "600"})
    queue_sms(NUMBER, "Tere")
    QueueWorker().run()
    due_at = QueuedMessage.objects.get().due_at
    assert due_at is not None
    assert due_at > timezone.now() + timedelta(seconds=590)


def test_last_attempt__is_a_temporary_failure(
    settings: Any, fake_messente: responses.RequestsMock, dlr_signals: SignalLog
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_MAX_ATTEMPTS": 2}
    fake_messente.post(SMS_URL, "FAILED 209")
    message = queue_sms(NUMBER, "Tere")
    assert QueueWorker().run().postponed == 1
    make_due()
    assert QueueWorker().run().failed == 1
    assert stored(message).status == "failed"
    assert dlr_signals.arguments("dlr_failed")["temporary"] is True
    assert not QueuedMessage.objects.exists()


@pytest.mark.parametrize("body", [requests.ReadTimeout(), "nonsense"])
def test_unknown_outcome__is_never_sent_again(body: Any, fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(SMS_URL, body=body)
    message = queue_sms(NUMBER, "Tere")
    assert QueueWorker().run().unknown == 1
    QueuedMessage.objects.update(leased_until=timezone.now() - timedelta(days=1))
    assert QueueWorker().run().sent == 0
    assert len(fake_messente.calls) == 1
    assert QueuedMessage.objects.unknown(timezone.now()).get().message == message
    assert (stored(message).status, PendingPoll.objects.count()) == ("queued", 1)


def test_refused_account__keeps_its_messages(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(SMS_URL, "ERROR 101")
    queue_many({"to": NUMBER, "text": str(number)} for number in range(50))
    queue_worker = QueueWorker(concurrency=1)
    summary = queue_worker.run()
    assert list(summary.stopped) == ["default"]
    assert QueuedMessage.objects.waiting(timezone.now()).filter(attempts=0).count() == 50
    assert len(fake_messente.calls) == 1
    make_due()
    assert list(queue_worker.run().stopped) == ["default"]
    assert len(fake_messente.calls) == 1


def test_erased_recipient__is_refused(outbox: list[Any]) -> None:
    message = queue_sms(NUMBER, "Tere")
    QueuedMessage.objects.update(content={})
    SmsMessage.objects.update(recipient="erased-1234")
    assert QueueWorker().run().refused == 1
    assert "is erased" in stored(message).error_text
    assert outbox == []


def test_forbidden_recipient__is_refused(settings: Any, outbox: list[Any]) -> None:
    message = queue_sms(NUMBER, "Tere")
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ALLOWED_RECIPIENTS": ["+37255500001"]}
    assert QueueWorker().run().refused == 1
    assert stored(message).status == "rejected"
    assert outbox == []


def test_not_before__waits(outbox: list[Any]) -> None:
    queue_sms(NUMBER, "Tere", not_before=timezone.now() + timedelta(hours=1))
    assert QueueWorker().run().sent == 0
    assert outbox == []
    make_due()
    assert QueueWorker().run().sent == 1


def test_priority__comes_before_time(outbox: list[Any]) -> None:
    queue_many({"to": NUMBER, "text": f"regular {number}"} for number in range(3))
    queue_sms(NUMBER, "low", priority="low")
    queue_sms(NUMBER, "high", priority="high")
    QueueWorker(concurrency=1).run()
    assert [message.text for message in outbox] == ["high", "regular 0", "regular 1", "regular 2", "low"]


def test_limit__is_the_number_of_messages(outbox: list[Any]) -> None:
    queue_many({"to": NUMBER, "text": str(number)} for number in range(5))
    assert QueueWorker(limit=3).run().sent == 3
    assert QueuedMessage.objects.waiting(timezone.now()).count() == 2


def test_hold__pauses_one_account(settings: Any, outbox: list[Any]) -> None:
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "ACCOUNTS": {name: {"USERNAME": "u", "PASSWORD": name} for name in ("default", "other")},
    }
    held = AccountFactory.create(name="default", credits_exhausted_at=timezone.now())
    queue_sms(NUMBER, "held")
    queue_sms(NUMBER, "free", account="other")
    assert QueueWorker().run().held == ["default"]
    assert [message.text for message in outbox] == ["free"]
    held.credits_exhausted_at = None
    held.save()
    assert QueueWorker().run().sent == 1
    assert [message.text for message in outbox] == ["free", "held"]


def test_one_message__leaves_the_others(outbox: list[Any]) -> None:
    queue_sms(NUMBER, "first")
    second = queue_sms(NUMBER, "second")
    assert QueueWorker(message_pk=second.pk).run().sent == 1
    assert QueueWorker(message_pk=second.pk).run().sent == 0
    assert [message.text for message in outbox] == ["second"]


def test_stop__releases_the_claims(outbox: list[Any]) -> None:
    queue_many({"to": NUMBER, "text": str(number)} for number in range(20))
    stop = threading.Event()
    queue_worker = QueueWorker(stop=stop, concurrency=1, progress=lambda count: stop.set())
    assert queue_worker.run().sent == len(outbox) == 1
    assert QueuedMessage.objects.filter(leased_until=None, attempted_at=None, attempts=0).count() == 19
    assert PendingPoll.objects.count() == 0  # the list in memory gives local ids, which are not polled


def test_open_transaction__is_not_held_during_requests(fake_messente: responses.RequestsMock) -> None:
    states = list[bool]()

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        states.append(connection.in_atomic_block)
        return 200, {}, "OK an-id"

    fake_messente.add_callback("POST", SMS_URL, respond)
    queue_sms(NUMBER, "Tere")
    QueueWorker().run()
    assert states == [False]


def test_database_away__answers_are_recorded_later(
    monkeypatch: pytest.MonkeyPatch, fake_messente: responses.RequestsMock
) -> None:
    accept(fake_messente, "sms")
    message = queue_sms(NUMBER, "Tere")
    errors, record_all = [OperationalError("the database is away")] * 2, results.record_all

    def fail_twice(answers: Any) -> Any:
        if errors:
            raise errors.pop()
        return record_all(answers)

    monkeypatch.setattr(worker, "record_all", fail_twice)
    monkeypatch.setattr("django_messente_dlr.sending.queue.worker.time.sleep", lambda seconds: None)
    assert QueueWorker().run().sent == 1
    assert stored(message).sms_unique_id == "id-0"


@pytest.mark.parametrize("answers", [["OK a", "OK b", "OK a"], ["OK a", "OK", "OK b"], ["OK a", "OK b", "ERROR 111"]])
def test_answers__are_recorded_apart_if_one_is_unexpected(
    answers: list[str], fake_messente: responses.RequestsMock
) -> None:
    """One id belongs to another message, or is missing, or one message is refused."""
    barrier, bodies = threading.Barrier(3), iter(answers)

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        barrier.wait(10)
        return 200, {}, next(bodies)

    fake_messente.add_callback("POST", SMS_URL, respond)
    queue_many({"to": NUMBER, "text": str(number)} for number in range(3))
    summary = QueueWorker(concurrency=3, rate=1000).run()
    assert (summary.sent, summary.unknown + summary.refused) == (2, 1)
    assert set(SmsMessage.objects.filter(status="sent").values_list("sms_unique_id", flat=True)) == {"a", "b"}
    assert QueuedMessage.objects.count() == summary.unknown


def test_report_before_the_answer__keeps_its_status(fake_messente: responses.RequestsMock) -> None:
    message = queue_sms(NUMBER, "Tere")

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        run_on_other_connection(lambda: simulate_callback(message, "DELIVRD", sms_unique_id="an-id"))
        return 200, {}, "OK an-id"

    fake_messente.add_callback("POST", SMS_URL, respond)
    assert QueueWorker().run().sent == 1
    message = SmsMessage.objects.get()
    assert (message.status, message.sms_unique_id) == ("delivered", "an-id")
    assert not QueuedMessage.objects.exists()
    assert not PendingPoll.objects.exists()


def test_orphan__is_matched_after_the_answer(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(SMS_URL, "OK an-id")
    DeliveryReportFactory.create(message=None, outcome="orphan", sms_unique_id="an-id")
    queue_sms(NUMBER, "Tere")
    QueueWorker().run()
    assert SmsMessage.objects.get().status == "delivered"


def test_priority__overtakes_ten_thousand(outbox: list[Any]) -> None:
    # queue_many would check and store each text, which takes several seconds.
    queue_sms(NUMBER, "regular")
    regular = QueuedMessage.objects.get()
    now = timezone.now()
    messages = SmsMessage.objects.bulk_create(
        SmsMessage(account="default", status="queued", rank=0, created_at=now) for _ in range(9_999)
    )
    QueuedMessage.objects.bulk_create(
        QueuedMessage(
            message=message,
            account="default",
            priority=regular.priority,
            due_at=regular.due_at,
            content=regular.content,
        )
        for message in messages
    )
    queue_sms(NUMBER, "high", priority="high")
    assert [row.content["channels"][0]["text"] for row in claims.claim(["default"], 2, lease=LEASE)] == [
        "high",
        "regular",
    ]


class TestAttempt:
    def claimed(self) -> list[QueuedMessage]:
        return claims.claim(["default"], 100, lease=LEASE)

    def test_attempt__records_all_in_one_commit(self) -> None:
        queue_many({"to": NUMBER, "text": str(number)} for number in range(3))
        assert len(attempt(self.claimed(), lease=LEASE)) == 3
        assert QueuedMessage.objects.attempted(timezone.now()).count() == PendingPoll.objects.count() == 3

    def test_attempt__excludes_what_was_cancelled(self) -> None:
        queue_many({"to": NUMBER, "text": str(number)} for number in range(3))
        rows = self.claimed()
        QueuedMessage.objects.filter(pk=rows[1].pk).delete()
        assert [row.pk for row in attempt(rows, lease=LEASE)] == [rows[0].pk, rows[2].pk]
        assert not PendingPoll.objects.filter(pk=rows[1].pk).exists()

    def test_attempt__excludes_what_another_worker_has_claimed(self) -> None:
        queue_sms(NUMBER, "Tere")
        rows = self.claimed()
        QueuedMessage.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        others = self.claimed()
        assert attempt(rows, lease=LEASE) == []
        assert len(attempt(others, lease=LEASE)) == 1
        assert attempt(others, lease=LEASE) == []

    def test_attempt__times_count_from_it(self) -> None:
        message = queue_sms(NUMBER, "Tere")
        SmsMessage.objects.update(send_at=timezone.now() - timedelta(days=9))
        attempt(self.claimed(), lease=LEASE)
        message = stored(message)
        assert message.report_expires_at is not None
        assert message.report_expires_at > timezone.now()
        assert message.next_poll_at is not None
        assert message.next_poll_at > timezone.now()

    def test_rollback__returns_to_claimed(self) -> None:
        queue_sms(NUMBER, "Tere")
        with transaction.atomic():
            attempt(self.claimed(), lease=LEASE)
            transaction.set_rollback(True)
        assert not PendingPoll.objects.exists()
        assert QueuedMessage.objects.filter(attempted_at=None).count() == 1
