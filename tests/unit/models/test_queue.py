"""The states of queued messages, and what the database refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, transaction
from django.utils import timezone

from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.sending import queue_sms

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
STATES = ["waiting", "due", "claimed", "attempted", "unknown"]


@pytest.mark.parametrize(
    ("leased", "attempted", "due", "states"),
    [
        (None, None, -1, ["waiting", "due"]),
        (None, None, 1, ["waiting"]),
        (-1, None, -1, ["waiting", "due"]),
        (1, None, -1, ["claimed"]),
        (1, -1, None, ["attempted"]),
        (-1, -2, None, ["unknown"]),
    ],
)
def test_states__are_exclusive(leased: int | None, attempted: int | None, due: int | None, states: list[str]) -> None:
    message, now = queue_sms("+37255500000", "Tere"), timezone.now()
    times = {"leased_until": leased, "attempted_at": attempted, "due_at": due}
    values: Any = {name: None if seconds is None else now + seconds * SECOND for name, seconds in times.items()}
    QueuedMessage.objects.filter(pk=message.pk).update(**values)
    assert [name for name in STATES if getattr(QueuedMessage.objects.all(), name)(now).exists()] == states


@pytest.mark.parametrize(
    "values",
    [{"due_at": None}, {"attempted_at": timezone.now()}, {"priority": 25}],
    ids=["no time", "both", "priority"],
)
def test_constraints__refuse_rows_that_no_claim_finds(values: dict[str, Any]) -> None:
    message = queue_sms("+37255500000", "Tere")
    with pytest.raises(Error), transaction.atomic():
        QueuedMessage.objects.filter(pk=message.pk).update(**values)


def claim(count: int = 10, **options: Any) -> list[int]:
    arguments = {"account": "default", "priority": 20, "now": timezone.now(), "lease": 60 * SECOND, **options}
    return [row.pk for row in QueuedMessage.objects.claim(count, **arguments)]


def test_claim__returns_due_messages_in_order() -> None:
    now = timezone.now()
    keys = [queue_sms("+37255500000", "Tere").pk for _ in range(3)]
    for age, pk in enumerate(keys):
        QueuedMessage.objects.filter(pk=pk).update(due_at=now - age * SECOND)
    assert claim(2) == keys[:0:-1]
    assert claim() == keys[:1]
    assert claim() == []


def test_claim__is_for_one_account_and_priority() -> None:
    queue_sms("+37255500000", "Tere")
    assert claim(account="other") == claim(priority=30) == []
    assert len(claim()) == 1


def test_claim__returns_messages_whose_lease_has_ended() -> None:
    message = queue_sms("+37255500000", "Tere")
    assert claim() == [message.pk]
    assert claim(now=timezone.now() + 59 * SECOND) == []
    assert claim(now=timezone.now() + 61 * SECOND) == [message.pk]


def test_claim__never_returns_an_attempted_message() -> None:
    message = queue_sms("+37255500000", "Tere")
    QueuedMessage.objects.update(attempted_at=timezone.now(), due_at=None, leased_until=timezone.now())
    assert claim(now=timezone.now() + timedelta(days=300)) == []
    assert message.queued.pk == message.pk
