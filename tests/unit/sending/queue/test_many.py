"""`queue_many`: batches, the caller's transaction, and items that cannot be sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_messente_dlr.exceptions import QueueItemInvalid
from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sending import Viber, queue_many

pytestmark = pytest.mark.django_db
NUMBER = "+37255500000"


def items(count: int) -> Iterator[dict[str, Any]]:
    return ({"to": NUMBER, "text": f"Tere {number}"} for number in range(count))


def test_queue_many__queues_texts_and_channels() -> None:
    queued = queue_many(
        [{"to": NUMBER, "text": "Tere"}, {"to": NUMBER, "channels": [Viber("Tere")], "priority": "low"}]
    )
    assert queued == 2
    rows = QueuedMessage.objects.order_by("pk").select_related("message")
    assert [(row.message.channel, row.priority) for row in rows] == [("sms", 20), ("viber", 10)]
    assert [row.content["channels"][0]["text"] for row in rows] == ["Tere", "Tere"]
    assert not SmsMessage.objects.filter(may_lack_poll=True).exists()


def test_queue_many__takes_two_statements_for_a_batch() -> None:
    if not connection.features.can_return_rows_from_bulk_insert:
        pytest.skip("MySQL returns no primary keys of a bulk insert")
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert queue_many(items(25), batch_size=10) == 25
    assert len([query for query in queries if query["sql"].startswith("INSERT")]) == 6
    assert len(queries) == 6


def test_queue_many__reads_one_batch_at_a_time() -> None:
    read: list[int] = []

    def watched() -> Iterator[dict[str, Any]]:
        for number in range(25):
            assert number - QueuedMessage.objects.count() <= 10
            read.append(number)
            yield {"to": NUMBER, "text": "Tere"}

    queue_many(watched(), batch_size=10)
    assert len(read) == QueuedMessage.objects.count() == 25


def test_queue_many__names_the_invalid_item() -> None:
    invalid = [*items(14), {"to": "12", "text": "Tere"}, *items(10)]
    with pytest.raises(
        QueueItemInvalid, match=r"Item 14 cannot be queued: .* The 10 items before its batch are"
    ) as info:
        queue_many(invalid, batch_size=10)
    assert (info.value.index, info.value.queued) == (14, 10)
    assert QueuedMessage.objects.count() == SmsMessage.objects.count() == 10


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"to": NUMBER, "text": ""}, "The text is empty"),
        ({"to": NUMBER}, 'needs the argument "text"'),
        ({"to": NUMBER, "text": "Tere", "sendr": "Shop"}, "Did you mean sender"),
        ({"to": NUMBER, "text": "Tere", "api": "sms"}, 'has no argument "api"'),
        ({"to": NUMBER, "text": "Tere", "account": "unknown"}, "no account 'unknown'"),
        ({"to": NUMBER, "text": "Tere", "priority": 1}, "priority must be"),
        ((NUMBER, "Tere"), "of type tuple"),
    ],
)
def test_queue_many__explains_why(item: Any, reason: str) -> None:
    with pytest.raises(QueueItemInvalid, match=reason) as info:
        queue_many([item])
    assert (info.value.index, info.value.queued) == (0, 0)
    assert "Nothing was queued" in str(info.value)


def test_queue_many__refuses_an_empty_batch() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        queue_many(items(1), batch_size=0)


@pytest.mark.django_db(transaction=True)
def test_rollback__removes_all_batches() -> None:
    with transaction.atomic():
        queue_many(items(25), batch_size=10)
        transaction.set_rollback(True)
    assert not SmsMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_queue_many__commits_each_batch_without_a_transaction() -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield from items(10)
        raise LookupError

    with pytest.raises(LookupError):
        queue_many(failing(), batch_size=5)
    assert QueuedMessage.objects.count() == 10
