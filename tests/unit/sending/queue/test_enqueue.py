"""`queue_sms` and `queue_message`: the two rows, and the transaction that they belong to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_messente_dlr.exceptions import RecipientNotAllowed
from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import Sms, Viber, aqueue_sms, queue_message, queue_sms, send_prepared
from django_messente_dlr.sending.queue import content
from django_messente_dlr.testing.factories import AccountFactory

pytestmark = pytest.mark.django_db
NUMBER = "+37255500000"


def test_queue_sms__writes_message_and_queue_row() -> None:
    message = queue_sms("+372 555 00000", "Tere", sender="Shop", reference="order-17", metadata={"order": 17})
    stored = SmsMessage.objects.get()
    assert stored == message
    assert (stored.status, stored.recipient, stored.text) == ("queued", NUMBER, "")
    assert (stored.reference, stored.metadata, stored.sender) == ("order-17", {"order": 17}, "Shop")
    assert stored.queued.content["channels"] == [{"channel": "sms", "text": "Tere", "sender": "Shop"}]
    assert QueuedMessage.objects.due(timezone.now()).get().message == message
    assert not PendingPoll.objects.exists()


def test_queue_sms__is_not_prepared() -> None:
    message = queue_sms(NUMBER, "Tere")
    assert not message.is_prepared
    with pytest.raises(ValueError, match="is in the send queue"):
        send_prepared(message, "Tere")


@pytest.mark.parametrize("name", ["omnichannel", "sms"])
def test_content__restores_the_outgoing_message(name: str, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": name}
    at = timezone.now() + timedelta(hours=2)
    queue_sms(NUMBER, "Tere", sender="Shop", validity=60, send_at=at, text_store="nostore", priority="high")
    row = QueuedMessage.objects.select_related("message").get()
    outgoing = content.from_json(row)
    assert outgoing.channels == ({"channel": "sms", "text": "Tere", "sender": "Shop", "validity": 60},)
    assert (outgoing.to, outgoing.account, outgoing.api) == (NUMBER, "default", name)
    assert (outgoing.send_at, outgoing.text_store) == (at, "nostore")
    assert outgoing.priority == ("high" if name == "omnichannel" else "")
    assert outgoing.dlr_url == row.message.callback_url


def test_queue_message__stores_all_channels() -> None:
    message = queue_message(NUMBER, [Viber("Tere", ttl=60), Sms("Hello")], priority="low")
    outgoing = content.from_json(QueuedMessage.objects.select_related("message").get())
    assert [channel["channel"] for channel in outgoing.channels] == ["viber", "sms"]
    assert (message.channel_count, message.queued.priority, outgoing.priority) == (2, 10, "low")


def test_not_before__is_the_due_time() -> None:
    at = timezone.now() + timedelta(days=3)
    message = queue_sms(NUMBER, "Tere", not_before=at)
    assert (message.queued.due_at, message.send_at) == (at, at)


def test_not_before__in_the_past_is_now() -> None:
    message = queue_sms(NUMBER, "Tere", not_before=timezone.now() - timedelta(days=3))
    assert message.queued.due_at is not None
    assert message.queued.due_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"text": ""}, ValueError),
        ({"to": "12"}, ValueError),
        ({"priority": "urgent"}, ValueError),
        ({"not_before": timezone.now().replace(tzinfo=None)}, ValueError),
        ({"not_before": 60}, TypeError),
        ({"account": "unknown"}, ImproperlyConfigured),
        ({"sendr": "Shop"}, TypeError),
        ({"metadata": {"order": object()}}, ValueError),
    ],
)
def test_queue_sms__refuses_what_cannot_be_sent(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        queue_sms(**{"to": NUMBER, "text": "Tere", **options})
    assert not SmsMessage.objects.exists()
    assert not QueuedMessage.objects.exists()


def test_queue_sms__refuses_a_forbidden_recipient(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ALLOWED_RECIPIENTS": ["+37255500001"]}
    with pytest.raises(RecipientNotAllowed):
        queue_sms(NUMBER, "Tere")
    assert not SmsMessage.objects.exists()


def test_credit_hold__does_not_refuse_queueing() -> None:
    AccountFactory.create(name="default", credits_exhausted_at=timezone.now())
    assert queue_sms(NUMBER, "Tere").queued.due_at is not None


def test_queue_sms__takes_two_statements_in_a_transaction() -> None:
    with (
        transaction.atomic(),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        queue_sms(NUMBER, "Tere")
    assert len(queries) == 2
    assert all(query["sql"].startswith("INSERT") for query in queries)


@pytest.mark.django_db(transaction=True)
def test_rollback__leaves_nothing() -> None:
    with transaction.atomic():
        queue_sms(NUMBER, "Tere")
        transaction.set_rollback(True)
    assert not SmsMessage.objects.exists()
    assert not QueuedMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_aqueue_sms__queues() -> None:
    message = async_to_sync(aqueue_sms)(NUMBER, "Tere", priority="high")
    assert QueuedMessage.objects.filter(message=message, priority=30).count() == 1


pushed: list[int | None] = []


def push(message_pk: int | None) -> None:
    pushed.append(message_pk)


def fail(message_pk: int | None) -> None:
    raise ConnectionError("no broker")


@pytest.mark.django_db(transaction=True)
def test_push__is_called_on_commit(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_PUSH": f"{__name__}.push"}
    pushed.clear()
    with transaction.atomic():
        message = queue_sms(NUMBER, "Tere")
        queue_sms(NUMBER, "Tere", not_before=timezone.now() + timedelta(hours=1))
        assert pushed == []
    assert pushed == [message.pk]


@pytest.mark.django_db(transaction=True)
def test_push__error_is_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_PUSH": f"{__name__}.fail"}
    message = queue_sms(NUMBER, "Tere")
    assert QueuedMessage.objects.filter(message=message).exists()
    assert "QUEUE_PUSH failed" in caplog.text
