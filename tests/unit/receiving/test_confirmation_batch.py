"""`confirm_sent_batch`: which messages it records, and what it leaves to `confirm_sent`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


def attempted(**attributes: Any) -> SmsMessage:
    """Create a message whose request is under way."""
    message: SmsMessage = SmsMessageFactory.create(queued=True, **attributes)
    leased_until = NOW + timedelta(minutes=5)
    QueuedMessage.objects.create(
        message=message, account=message.account, attempted_at=NOW, due_at=None, leased_until=leased_until
    )
    return message


def confirm(*messages: SmsMessage) -> set[int]:
    ids = {message.pk: {"sms_unique_id": f"id-{number}"} for number, message in enumerate(messages)}
    return receiving.confirm_sent_batch(ids, sent_at=NOW)


def stored(message: SmsMessage) -> tuple[str, str | None, bool]:
    """Return the status, the id and whether the message was sent at NOW."""
    message.refresh_from_db()
    return message.status, message.sms_unique_id, message.sent_at == NOW


def test_queued__is_sent_and_leaves_the_queue() -> None:
    messages = [attempted(), attempted()]
    assert confirm(*messages) == {message.pk for message in messages}
    assert [stored(message) for message in messages] == [("sent", "id-0", True), ("sent", "id-1", True)]
    assert not QueuedMessage.objects.exists()
    assert PendingPoll.objects.count() == 2


@pytest.mark.parametrize(("stat", "err", "status"), [("DELIVRD", "0", "delivered"), ("UNDELIV", "1", "failed")])
def test_final_report_before_the_answer__keeps_the_status(stat: str, err: str, status: str) -> None:
    queued, reported = attempted(), attempted()
    simulate_callback(reported, stat, err, sms_unique_id="id-1")
    assert confirm(queued, reported) == {queued.pk, reported.pk}
    assert stored(queued) == ("sent", "id-0", True)
    assert stored(reported) == (status, "id-1", True)
    assert list(PendingPoll.objects.values_list("pk", flat=True)) == [queued.pk]


def test_final_report_without_an_id__gets_the_id_of_the_answer() -> None:
    message = attempted()
    simulate_callback(message, sms_unique_id="")
    assert confirm(message) == {message.pk}
    assert stored(message) == ("delivered", "id-0", True)


def test_other_states__are_left_to_confirm_sent() -> None:
    queued, sent, other_id, unresolved = attempted(), attempted(), attempted(), attempted()
    simulate_callback(sent, "ACCEPTD", sms_unique_id="id-1")
    simulate_callback(other_id, sms_unique_id="another-id")
    SmsMessage.objects.filter(pk=unresolved.pk).update(status="unresolved", rank=20)
    assert confirm(queued, sent, other_id, unresolved) == {queued.pk}
    assert stored(queued) == ("sent", "id-0", True)
    assert stored(sent) == ("sent", "id-1", False)
    assert stored(other_id) == ("delivered", "another-id", False)
    assert stored(unresolved) == ("unresolved", None, False)


def test_deleted_message__is_not_recorded() -> None:
    message = attempted()
    pk = message.pk
    message.delete()
    assert receiving.confirm_sent_batch({pk: {"sms_unique_id": "id-0"}}, sent_at=NOW) == set()


def test_id_of_another_message__writes_nothing() -> None:
    SmsMessageFactory.create(sms_unique_id="id-1")
    messages = [attempted(), attempted()]
    with pytest.raises(IntegrityError):
        confirm(*messages)
    assert [stored(message) for message in messages] == [("queued", None, False)] * 2
    assert QueuedMessage.objects.count() == 2


def test_orphans__are_matched() -> None:
    message = attempted()
    DeliveryReportFactory.create(message=None, outcome="orphan", sms_unique_id="id-0")
    assert confirm(message) == {message.pk}
    assert stored(message) == ("delivered", "id-0", True)
