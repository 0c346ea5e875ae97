"""The findings of ``messente_doctor`` about the send queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import WARNING
from django.utils import timezone

from django_messente_dlr.doctor.checks.queue import check_queue
from django_messente_dlr.models import QueuedMessage
from django_messente_dlr.sending import queue_sms
from django_messente_dlr.testing.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)


def queued(*, minutes_ago: float = 0, **columns: Any) -> None:
    """Queue a message that was due some minutes ago."""
    message = queue_sms("+37255500000", "Tere")
    columns = {"due_at": timezone.now() - timedelta(minutes=minutes_ago), **columns}
    QueuedMessage.objects.filter(pk=message.pk).update(**columns)


def found() -> list[str]:
    """Return the ids of the findings, without the prefix."""
    return [str(finding.id)[-4:] for finding in check_queue()]


def test_check_queue__empty() -> None:
    [finding] = check_queue()
    assert finding.msg == "No message waits to be sent."
    assert finding.id == "django_messente_dlr.doctor.D072"


def test_check_queue__waiting_and_due() -> None:
    queued(minutes_ago=3)
    queued(minutes_ago=-60)
    [finding] = check_queue()
    assert finding.msg == "Messages wait in the send queue: default 2 (1 due)."


def test_check_queue__late() -> None:
    queued(minutes_ago=30)
    queued(minutes_ago=11)
    late, waiting = check_queue()
    assert late.msg.startswith("2 queued messages of account default are due, the first of them since ")
    assert late.msg.endswith(" (30 minutes).")
    assert (late.level, str(late.id)[-4:], str(waiting.id)[-4:]) == (WARNING, "D071", "D072")


def test_check_queue__credit_hold_is_not_late() -> None:
    AccountFactory.create(name="default", held=True)
    queued(minutes_ago=30)
    [finding] = check_queue()
    assert finding.msg.endswith("Those of default wait for the end of the credit hold.")


def test_check_queue__claimed_is_not_late() -> None:
    queued(minutes_ago=30, leased_until=timezone.now() + timedelta(minutes=4))
    assert found() == ["D072"]


def test_check_queue__account_not_configured() -> None:
    queued(account="removed")
    assert found() == ["D073", "D072"]


def test_check_queue__unknown_outcome() -> None:
    now = timezone.now()
    queued(due_at=None, attempted_at=now - timedelta(minutes=9), leased_until=now - timedelta(minutes=4))
    finding, _ = check_queue()
    assert finding.msg == "The outcome of sending 1 messages is unknown."
    assert str(finding.id)[-4:] == "D074"
