"""The poller's list: what is waited for is in it as long as that is so, and due when it can be asked about."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import responses
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling import Poller, claims, status_responses
from django_messente_dlr.polling.results import PollResult
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils.poll_schedule import REPORT_RETENTION
from tests.unit.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.unit.polling.rows import REPORT, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
SOON = timedelta(hours=1)


def due_at(message: SmsMessage) -> datetime:
    at = seen(message).next_poll_at
    assert at is not None
    return at


def answered(messente: Messente, *told: tuple[str, str]) -> None:
    """Have Messente tell of the messages of the omnimessage «X»."""
    statuses = [
        {"message_id": name, "channel": "sms", "status": status, "err": 0, "error": None} for name, status in told
    ]
    told_of = {"omnimessage_id": "X", "to": NUMBER, "statuses": statuses}
    messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/X/status", json=told_of)


def test_a_report_of_another_row_ends_the_waiting_for_that_alone(messente: Messente) -> None:
    """Whoever enters an omnimessage as a whole and one of its channels besides hears of each what is its own."""
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    channel = track_sms("A", omnimessage_id="X")
    make_due(whole, channel)
    answered(messente, ("A", "DELIVRD"))
    Poller().run()
    assert (seen(channel).status, seen(channel).next_poll_at) == ("delivered", None)
    assert seen(whole).status == "sent"
    make_due(whole)
    answered(messente, ("A", "DELIVRD"), ("B", "DELIVRD"))
    Poller().run()
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_a_channel_that_was_not_claimed_has_its_report_and_the_whole_waits_on(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    channel = track_sms("A", omnimessage_id="X")
    make_due(whole)
    answered(messente, ("A", "DELIVRD"))
    Poller().run()
    assert seen(channel).status == "delivered"
    assert seen(whole).next_poll_at is not None


@pytest.mark.parametrize("first", ["an answer", "a callback", "a callback before mark_sent"])
def test_an_omnimessage_that_one_channel_failed_to_deliver_is_waited_for_until_all_have_ended(
    first: str, messente: Messente
) -> None:
    whole = prepare_sms(NUMBER, channel="viber")
    failed = {"message_id": "V", "omnimessage_id": "X", "channel": "viber", "status": "UNDELIV", "err": 1}
    if first == "a callback before mark_sent":
        assert simulate_omnichannel_callback(failed, url=whole.callback_url).status_code == 200
    mark_sent(whole, omnimessage_id="X")
    if first == "a callback":
        assert simulate_omnichannel_callback(failed, url=whole.callback_url).status_code == 200
    make_due(whole)
    answered(messente, ("V", "UNDELIV"), ("S", "ACK"))
    assert Poller().run().open == 1
    assert (seen(whole).status, seen(whole).next_poll_at is None) == ("failed", False)
    make_due(whole)
    answered(messente, ("V", "UNDELIV"), ("S", "DELIVRD"))
    assert Poller().run().final == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_a_failure_that_does_not_name_the_omnimessage_is_not_the_end_of_the_whole_either() -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    assert simulate_callback(whole, "UNDELIV", "1", sms_unique_id="V").status_code == 200
    assert (seen(whole).status, seen(whole).next_poll_at is None) == ("failed", False)


@pytest.mark.usefixtures("each_path")
def test_a_channel_that_is_entered_by_its_own_id_has_ended_where_it_failed() -> None:
    channel = track_sms("V", omnimessage_id="X", channel="viber")
    failed = {"message_id": "V", "omnimessage_id": "X", "channel": "viber", "status": "UNDELIV", "err": 1}
    assert simulate_omnichannel_callback(failed).status_code == 200
    assert (seen(channel).status, seen(channel).next_poll_at) == ("failed", None)


def test_an_omnimessage_that_all_channels_failed_to_deliver_has_ended(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    make_due(whole)
    answered(messente, ("V", "UNDELIV"), ("S", "UNDELIV"))
    assert Poller().run().final == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("failed", None)


def test_an_omnimessage_of_whose_last_channel_nothing_is_heard_stays_failed(
    messente: Messente, dlr_signals: SignalLog
) -> None:
    whole = due(sms_unique_id=None, omnimessage_id="X", ago=REPORT_RETENTION)
    answered(messente, ("V", "UNDELIV"), ("S", "ACK"))
    assert Poller().run().final == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("failed", None)
    assert "dlr_unresolved" not in dlr_signals.names


def test_a_delivery_by_the_next_channel_ends_the_waiting(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    for name, status in (("V", "UNDELIV"), ("S", "DELIVRD")):
        told = {"message_id": name, "omnimessage_id": "X", "status": status, "err": 0}
        assert simulate_omnichannel_callback(told, url=whole.callback_url).status_code == 200
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_a_word_that_an_older_release_did_not_know_does_not_end_the_waiting(messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK EXPIRED")
    messente.answer(FIRST, REPORT, "OK EXPIRED")
    with mock.patch.object(Status, "from_report", return_value=None):
        Poller().run()
    make_due(message)
    Poller().run()
    assert message.reports.get().times_received == 2
    assert (seen(message).status, seen(message).next_poll_at is None) == ("sent", False)


@pytest.mark.parametrize(
    "by", ["a report", "mark_sent after a report", "mark_sent after a report without an id", "mark_sent"]
)
def test_a_message_that_was_put_off_for_want_of_an_id_is_asked_about_soon_after_it_has_one(
    by: str, messente: Messente
) -> None:
    message = prepare_sms(NUMBER)
    make_due(message)
    Poller().run()
    assert due_at(message) == message.created_at + REPORT_RETENTION
    if by != "mark_sent":
        told = "" if by.endswith("without an id") else "an-id"
        assert simulate_callback(message, "ACCEPTD", sms_unique_id=told).status_code == 200
    if by != "a report":
        mark_sent(message, "an-id")
    assert due_at(message) < timezone.now() + SOON


def test_a_report_that_tells_the_id_does_not_put_off_a_question(messente: Messente) -> None:
    message = prepare_sms(NUMBER)
    make_due(message)
    before = due_at(message)
    simulate_callback(message, "ACCEPTD", sms_unique_id="an-id")
    assert due_at(message) == before


def test_a_report_that_ends_nothing_leaves_the_next_question_where_it_is() -> None:
    later = timezone.now() + 3 * SOON
    message = due(next_poll_at=later)
    simulate_callback(message, "ACCEPTD")
    assert due_at(message) == later


def test_an_id_that_becomes_known_brings_no_other_message_forward() -> None:
    other = due(next_poll_at=timezone.now() + 3 * SOON)
    before = due_at(other)
    simulate_callback(prepare_sms(NUMBER), "ACCEPTD", sms_unique_id="an-id")
    assert due_at(other) == before


def test_what_was_given_up_before_it_was_sent_is_waited_for_again(messente: Messente) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - REPORT_RETENTION)
    make_due(message)
    Poller().run()
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)
    mark_sent(message, "an-id")
    mark_sent(message, "an-id")
    assert due_at(message) < timezone.now() + SOON
    make_due(message)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    Poller(account_names=["default"]).run()
    assert (seen(message).status, seen(message).next_poll_at) == ("delivered", None)


def test_what_was_given_up_twice_is_not_asked_about_any_more(messente: Messente) -> None:
    message = due(status="unresolved", ago=REPORT_RETENTION)
    mark_sent(message, "an-id", sent_at=timezone.now() - REPORT_RETENTION)
    make_due(message)
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 1
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)


@pytest.mark.parametrize("ago", [timedelta(hours=1), REPORT_RETENTION])
def test_what_is_sent_while_a_poller_puts_it_off_keeps_its_own_time(
    ago: timedelta, messente: Messente, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - ago)
    make_due(message)
    put_off = status_responses.reschedule_unpollable

    def meanwhile(claimed: SmsMessage, **arguments: Any) -> PollResult:
        mark_sent(message, "an-id")
        return put_off(claimed, **arguments)

    monkeypatch.setattr(claims, "reschedule_unpollable", meanwhile)
    assert Poller().run().unresolved == 0
    assert seen(message).status == "sent"
    assert due_at(message) < timezone.now() + SOON
