"""``poll_now``: a user polls certain messages and gets a result for each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import responses
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.polling import PollOutcome, poll_now
from django_messente_dlr.polling.status_requests import StatusRequest, status_requests_for
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.unit.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.unit.polling.rows import REPORT, WINDOW, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "error"),
    [
        ("OK DELIVERED", PollOutcome.FINAL, "delivered", ""),
        ("OK FAILED", PollOutcome.FINAL, "failed", ""),
        ("OK SENT", PollOutcome.STILL_PENDING, "sent", ""),
        ("FAILED 102", PollOutcome.STILL_PENDING, "sent", ""),
        ("ERROR 107", PollOutcome.STILL_PENDING, "sent", ""),
        ("rubbish", PollOutcome.STILL_PENDING, "sent", "rubbish"),
        ("ERROR 101", PollOutcome.REFUSED, "sent", "Compare USERNAME and PASSWORD"),
    ],
)
def test_poll_now__outcome_of_each_response(
    answer: str, outcome: PollOutcome, status: str, error: str, messente: Messente
) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now() + timedelta(hours=4))
    messente.answer(FIRST, REPORT, answer)
    (result,) = poll_now([message])
    assert (result.message, result.outcome, result.message.status) == (message, outcome, status)
    assert error in result.error
    assert str(PollOutcome(result.outcome).label)


def test_poll_now__results_in_order_of_messages(messente: Messente) -> None:
    final = SmsMessageFactory.create(status="delivered")
    unsent = SmsMessageFactory.create(queued=True)
    pending = SmsMessageFactory.create()
    unconfigured = SmsMessageFactory.create(account="former")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    results = poll_now([final, unsent, pending, unconfigured])
    assert [(result.message, result.outcome) for result in results] == [
        (final, PollOutcome.FINAL),
        (unsent, PollOutcome.NOT_ASKED),
        (pending, PollOutcome.FINAL),
        (unconfigured, PollOutcome.NOT_ASKED),
    ]
    assert len(messente.calls) == 1
    assert [bool(result.error) for result in results] == [False, True, False, True]


def test_poll_now__refused_account(messente: Messente, settings: Any) -> None:
    first, second = SmsMessageFactory.create_batch(2)
    messente.answer(FIRST, REPORT, "ERROR 101")
    results = poll_now([first, second])
    assert [result.outcome for result in results] == [PollOutcome.REFUSED, PollOutcome.NOT_ASKED]
    assert "refuses the account" in results[1].error


def test_poll_now__unresolved_message(messente: Messente) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=timezone.now() - WINDOW)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    (result,) = poll_now([message])
    assert (result.outcome, seen(message).status) == (PollOutcome.FINAL, "delivered")


def test_poll_now__unresolved_message_stays_unresolved(messente: Messente) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=timezone.now() - WINDOW)
    messente.answer(FIRST, REPORT, "ERROR 107")
    (result,) = poll_now([message])
    assert (result.outcome, seen(message).status) == (PollOutcome.UNRESOLVED, "unresolved")
    assert seen(message).next_poll_at is None


def test_poll_now__messages_are_not_due_for_pollers(messente: Messente) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now())
    messente.answer(FIRST, REPORT, "FAILED 102")
    due: list[int] = []

    def count_due(messages: list[SmsMessage]) -> list[StatusRequest]:
        due.append(SmsMessage.objects.due(timezone.now()).count())
        return status_requests_for(messages)

    with mock.patch("django_messente_dlr.polling.poll_now.status_requests_for", count_due):
        poll_now([message])
    assert due == [0]
    assert SmsMessage.objects.due(timezone.now()).count() == 0


def test_poll_now__channels_share_a_request(messente: Messente) -> None:
    viber, sms = (
        SmsMessageFactory.create(sms_unique_id=name, omnimessage_id="an-omni-id", channel=name)
        for name in ("viber", "sms")
    )
    statuses = [
        {"message_id": "viber", "channel": "viber", "status": "UNDELIV", "err": 1},
        {"message_id": "sms", "channel": "sms", "status": "DELIVRD", "err": 0},
    ]
    messente.add(
        responses.GET,
        f"{OMNICHANNEL}/omnimessage/an-omni-id/status",
        json={"omnimessage_id": "an-omni-id", "statuses": statuses},
    )
    assert [result.message.status for result in poll_now([viber, sms])] == ["failed", "delivered"]
    assert len(messente.calls) == 1


def test_poll_now__no_messages(messente: Messente) -> None:
    assert poll_now([]) == []
