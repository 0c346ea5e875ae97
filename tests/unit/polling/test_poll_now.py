"""``poll_now``: a person wants to know about certain messages, and gets an answer for each."""

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
from django_messente_dlr.utils.poll_schedule import REPORT_RETENTION
from tests.unit.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.unit.polling.rows import REPORT, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "told"),
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
def test_each_answer_has_its_outcome(
    answer: str, outcome: PollOutcome, status: str, told: str, messente: Messente
) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now() + timedelta(hours=4))
    messente.answer(FIRST, REPORT, answer)
    (result,) = poll_now([message])
    assert (result.message, result.outcome, result.message.status) == (message, outcome, status)
    assert told in result.error
    assert str(PollOutcome(result.outcome).label)


def test_results_come_in_the_order_of_the_messages(messente: Messente) -> None:
    ended = SmsMessageFactory.create(status="delivered")
    unsent = SmsMessageFactory.create(queued=True)
    open_ = SmsMessageFactory.create()
    foreign = SmsMessageFactory.create(account="nobody's")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    results = poll_now([ended, unsent, open_, foreign])
    assert [(result.message, result.outcome) for result in results] == [
        (ended, PollOutcome.FINAL),
        (unsent, PollOutcome.NOT_ASKED),
        (open_, PollOutcome.FINAL),
        (foreign, PollOutcome.NOT_ASKED),
    ]
    assert len(messente.calls) == 1
    assert [bool(result.error) for result in results] == [False, True, False, True]


def test_whoever_is_not_asked_about_is_told_why(messente: Messente, settings: Any) -> None:
    first, second = SmsMessageFactory.create_batch(2)
    messente.answer(FIRST, REPORT, "ERROR 101")
    results = poll_now([first, second])
    assert [result.outcome for result in results] == [PollOutcome.REFUSED, PollOutcome.NOT_ASKED]
    assert "refuses the account" in results[1].error


def test_an_unresolved_message_may_be_asked_about_again(messente: Messente) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=timezone.now() - REPORT_RETENTION)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    (result,) = poll_now([message])
    assert (result.outcome, seen(message).status) == (PollOutcome.FINAL, "delivered")


def test_an_unresolved_message_of_which_nothing_is_known_stays_as_it_is(messente: Messente) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=timezone.now() - REPORT_RETENTION)
    messente.answer(FIRST, REPORT, "ERROR 107")
    (result,) = poll_now([message])
    assert (result.outcome, seen(message).status) == (PollOutcome.UNRESOLVED, "unresolved")
    assert seen(message).next_poll_at is None


def test_a_poller_keeps_away_while_a_person_asks(messente: Messente) -> None:
    message = SmsMessageFactory.create(next_poll_at=timezone.now())
    messente.answer(FIRST, REPORT, "FAILED 102")
    left: list[int] = []

    def look(messages: list[SmsMessage]) -> list[StatusRequest]:
        left.append(SmsMessage.objects.due(timezone.now()).count())
        return status_requests_for(messages)

    with mock.patch("django_messente_dlr.polling.poll_now.status_requests_for", look):
        poll_now([message])
    assert left == [0]
    assert SmsMessage.objects.due(timezone.now()).count() == 0


def test_the_channels_of_an_omnimessage_are_asked_about_at_once(messente: Messente) -> None:
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


def test_no_messages_are_no_questions(messente: Messente) -> None:
    assert poll_now([]) == []
