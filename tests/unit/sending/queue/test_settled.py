"""What removes a message from the queue besides a worker: `cancel`, a report, `mark_sent`, and an erasure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from django_messente_dlr.exceptions import SendInsideTransaction
from django_messente_dlr.maintenance.erasure import erase_recipients
from django_messente_dlr.maintenance.missing_polls import create_missing_polls
from django_messente_dlr.maintenance.pruning import prune_messages
from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import cancel, mark_failed, mark_sent, queue_sms
from django_messente_dlr.sending.queue import content
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db
NUMBER = "+37255500000"


def attempted(**options: Any) -> SmsMessage:
    """Return a message whose outcome is unknown."""
    message = queue_sms(NUMBER, "Tere", **options)
    now = timezone.now()
    QueuedMessage.objects.filter(pk=message.pk).update(attempted_at=now, due_at=None, leased_until=now)
    PendingPoll.objects.create(message=message, account=message.account, due_at=now)
    return message


@pytest.mark.django_db(transaction=True)
def test_cancel__removes_a_waiting_message(dlr_signals: SignalLog) -> None:
    message = cancel(queue_sms(NUMBER, "Tere", not_before=timezone.now() + timedelta(days=1)))
    assert message.status == "cancelled"
    assert not QueuedMessage.objects.exists()
    assert "dlr_cancelled" in dlr_signals.names


@pytest.mark.django_db(transaction=True)
def test_cancel__is_rolled_back_with_its_transaction() -> None:
    message = queue_sms(NUMBER, "Tere")
    with transaction.atomic():
        assert cancel(message).status == "cancelled"
        transaction.set_rollback(True)
    assert SmsMessage.objects.get().status == "queued"
    assert QueuedMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_cancel__leaves_an_attempted_message() -> None:
    message = attempted()
    with pytest.raises(ValueError, match="outcome of sending it is unknown"):
        cancel(message)
    with transaction.atomic(), pytest.raises(SendInsideTransaction):
        cancel(message)
    assert QueuedMessage.objects.count() == 1


@pytest.mark.parametrize("stat", ["DELIVRD", "UNDELIV", "ACCEPTD"])
def test_report__removes_an_attempted_message(stat: str) -> None:
    message = attempted()
    simulate_callback(message, stat)
    assert not QueuedMessage.objects.exists()
    assert PendingPoll.objects.exists() is (stat == "ACCEPTD")


def test_report__of_a_waiting_message_prevents_its_sending() -> None:
    """No worker has recorded an attempt, but Messente has the message: the database was restored, for example."""
    simulate_callback(queue_sms(NUMBER, "Tere"), "ACCEPTD")
    assert not QueuedMessage.objects.exists()
    assert PendingPoll.objects.count() == 1


@pytest.mark.parametrize("is_attempted", [True, False])
def test_mark_sent__removes_the_message(is_attempted: bool) -> None:
    message = mark_sent(attempted() if is_attempted else queue_sms(NUMBER, "Tere"), "an-id")
    assert message.status == "sent"
    assert message.next_poll_at is not None
    assert not QueuedMessage.objects.exists()


def test_mark_failed__removes_the_message() -> None:
    assert mark_failed(attempted(), "It was never sent.").status == "failed"
    assert not QueuedMessage.objects.exists()


def test_erasure__removes_the_content() -> None:
    message = queue_sms(NUMBER, "Tere, Mari")
    assert erase_recipients([NUMBER]).messages == 1
    row = QueuedMessage.objects.select_related("message").get()
    assert row.content == {}
    with pytest.raises(ValueError, match=f"The recipient of message {message.pk} is erased"):
        content.from_json(row)


def test_erasure__dry_run_keeps_the_content() -> None:
    queue_sms(NUMBER, "Tere")
    assert erase_recipients([NUMBER], dry_run=True).messages == 1
    assert QueuedMessage.objects.get().content["channels"][0]["text"] == "Tere"


def test_erasure__replaces_the_number_in_other_texts() -> None:
    queue_sms("+37255500001", f"Call {NUMBER}")
    assert erase_recipients([NUMBER]).messages == 1
    text = QueuedMessage.objects.get().content["channels"][0]["text"]
    assert "55500000" not in text
    assert text.startswith("Call ")


def test_pruning__keeps_waiting_messages() -> None:
    queue_sms(NUMBER, "Tere")
    SmsMessage.objects.update(created_at=timezone.now() - timedelta(days=300))
    assert prune_messages(timezone.now() - timedelta(days=30)).deleted == 0


def test_deleted_message__removes_its_queue_row() -> None:
    queue_sms(NUMBER, "Tere").delete()
    assert not QueuedMessage.objects.exists()


def test_sweep__creates_no_poll_for_waiting_messages() -> None:
    queue_sms(NUMBER, "Tere")
    SmsMessage.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert create_missing_polls() == 0


def test_with_status__finds_waiting_and_attempted_messages() -> None:
    waiting, unknown = queue_sms(NUMBER, "Tere"), attempted()
    sent = mark_sent(queue_sms(NUMBER, "Tere"), "an-id")
    found = SmsMessage.objects.with_status
    assert set(found("queued")) == {waiting, unknown}
    assert set(found("queued", "sent")) == {waiting, unknown, sent}
    assert set(found("sent").filter(account="default")) == {sent}
    assert found("queued").count() == len(found("queued").order_by("-pk")[:10]) == 2
