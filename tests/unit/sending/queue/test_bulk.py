"""``QUEUE_BULK``: many messages in one request, each with its own result."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import responses
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.sending import Sms, Viber, queue_many, queue_message, queue_sms
from django_messente_dlr.sending.queue.results import MAX_BATCH
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
BULK_URL = "http://127.0.0.1:9/v1/omnimessages"
SINGLE_URL = "http://127.0.0.1:9/v1/omnimessage"
NUMBERS = [f"+3725550000{number}" for number in range(4)]


@pytest.fixture(autouse=True)
def _bulk(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_BULK": True, "SEND_API": "omnichannel"}


@pytest.fixture
def messages() -> list[SmsMessage]:
    return [queue_sms(number, "Tere") for number in NUMBERS]


def item(number: str) -> dict[str, Any]:
    channels = [{"channel": "sms", "message_id": f"id-{number}", "sender": "Shop"}]
    return {"omnimessage_id": f"omni-{number}", "to": number, "messages": channels}


def statuses() -> dict[str, str]:
    return dict(SmsMessage.objects.order_by("pk").values_list("recipient", "status"))


def test_bulk__sends_all_in_one_request(messages: list[SmsMessage], fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(BULK_URL, json={"messages": [item(number) for number in NUMBERS]}, status=201)
    assert QueueWorker().run().sent == 4
    assert len(fake_messente.calls) == 1
    request = json.loads(fake_messente.calls[0].request.body or "")
    assert [entry["to"] for entry in request["messages"]] == NUMBERS
    assert request["messages"][0]["dlr_url"] == messages[0].callback_url
    assert SmsMessage.objects.get(recipient=NUMBERS[2]).sms_unique_id == f"id-{NUMBERS[2]}"
    assert not QueuedMessage.objects.exists()


def test_bulk__each_item_has_its_own_result(
    messages: list[SmsMessage], fake_messente: responses.RequestsMock, dlr_signals: SignalLog
) -> None:
    answers = [item(NUMBERS[0]), {"errors": [{"title": "Invalid number"}]}, {"errors": [{"title": "Server error"}]}]
    fake_messente.post(BULK_URL, json={"messages": [*answers, item(NUMBERS[3])]}, status=201)
    summary = QueueWorker().run()
    assert (summary.sent, summary.refused, summary.unknown) == (2, 1, 1)
    assert list(statuses().values()) == ["sent", "rejected", "queued", "sent"]
    assert QueuedMessage.objects.get(attempted_at__isnull=False).message == messages[2]
    assert dlr_signals.names.count("dlr_failed") == 1


def test_bulk__records_answers_in_short_transactions(fake_messente: responses.RequestsMock) -> None:
    # A report that arrives meanwhile waits for the rows of one transaction, two seconds at most.
    numbers = [f"+37255500{number:03}" for number in range(2 * MAX_BATCH + 20)]
    queue_many({"to": number, "text": "Tere"} for number in numbers)
    fake_messente.post(BULK_URL, json={"messages": [item(number) for number in numbers]}, status=201)
    with CaptureQueriesContext(connection) as captured:
        assert QueueWorker().run().sent == len(numbers)
    texts = [query["sql"] for query in captured.captured_queries]
    deletions = [text for text in texts if text.startswith("DELETE") and QueuedMessage._meta.db_table in text]
    assert [text.count(",") + 1 for text in deletions] == [MAX_BATCH, MAX_BATCH, 20]


def test_bulk__lost_answer_makes_all_unknown(
    messages: list[SmsMessage], fake_messente: responses.RequestsMock
) -> None:
    fake_messente.post(BULK_URL, body=requests.ReadTimeout())
    assert QueueWorker().run().unknown == 4
    assert QueueWorker().run().sent == 0
    assert len(fake_messente.calls) == 1
    assert QueuedMessage.objects.attempted(timezone.now()).count() == PendingPoll.objects.count() == 4


def test_bulk__answer_in_another_order(messages: list[SmsMessage], fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(BULK_URL, json={"messages": [item(number) for number in NUMBERS[::-1]]}, status=201)
    assert QueueWorker().run().sent == 4
    assert all(message.sms_unique_id == f"id-{message.recipient}" for message in SmsMessage.objects.all())


@pytest.mark.parametrize("status", [429, 400])
def test_bulk__refused_as_a_whole(
    status: int, messages: list[SmsMessage], fake_messente: responses.RequestsMock
) -> None:
    fake_messente.post(BULK_URL, json={}, status=status)
    summary = QueueWorker().run()
    assert (summary.postponed, summary.refused) == ((4, 0) if status == 429 else (0, 4))
    assert QueuedMessage.objects.filter(attempts=1, attempted_at=None).count() == summary.postponed
    assert not PendingPoll.objects.exists()


def test_bulk__one_message_takes_the_request_for_one(fake_messente: responses.RequestsMock) -> None:
    queue_message(NUMBERS[0], [Viber("Tere"), Sms("Tere")])
    fake_messente.post(SINGLE_URL, json=item(NUMBERS[0]), status=201)
    assert QueueWorker().run().sent == 1


def test_bulk__accounts_are_apart(settings: Any, fake_messente: responses.RequestsMock) -> None:
    accounts = {name: {"USERNAME": name, "PASSWORD": name} for name in ("default", "other")}
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": accounts}
    for number, account in zip(NUMBERS, ["default", "other"] * 2, strict=True):
        queue_sms(number, "Tere", account=account)

    def respond(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or "")
        return 201, {}, json.dumps({"messages": [item(entry["to"]) for entry in body["messages"]]})

    fake_messente.add_callback("POST", BULK_URL, respond)
    assert QueueWorker().run().sent == 4
    assert len(fake_messente.calls) == 2
    assert len({call.request.headers["Authorization"] for call in fake_messente.calls}) == 2


def test_bulk__sms_api_sends_one_by_one(settings: Any, fake_messente: responses.RequestsMock) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": "sms"}
    ids = iter(["OK a", "OK b"])
    fake_messente.add_callback("POST", "http://127.0.0.1:9/send_sms/", lambda request: (200, {}, next(ids)))
    queue_sms(NUMBERS[0], "Tere")
    queue_sms(NUMBERS[1], "Tere")
    assert QueueWorker(concurrency=1).run().sent == 2
