"""The pending rows: a message has one until it is final, and it is due when Messente can be polled for it."""

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
from tests.unit.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.unit.polling.rows import REPORT, WINDOW, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
SOON = timedelta(hours=1)


def due_at(message: SmsMessage) -> datetime:
    next_poll_at = seen(message).next_poll_at
    assert next_poll_at is not None
    return next_poll_at


def add_response(messente: Messente, *channels: tuple[str, str]) -> None:
    """Add a response with the statuses of the channels of the omnimessage "X"."""
    statuses = [
        {"message_id": name, "channel": "sms", "status": status, "err": 0, "error": None} for name, status in channels
    ]
    payload = {"omnimessage_id": "X", "to": NUMBER, "statuses": statuses}
    messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/X/status", json=payload)


def test_run__report_of_a_channel_ends_its_row_only(messente: Messente) -> None:
    """A project may track an omnimessage as a whole and one of its channels: each row has its own status."""
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    channel = track_sms("A", omnimessage_id="X")
    make_due(whole, channel)
    add_response(messente, ("A", "DELIVRD"))
    Poller().run()
    assert (seen(channel).status, seen(channel).next_poll_at) == ("delivered", None)
    assert seen(whole).status == "sent"
    make_due(whole)
    add_response(messente, ("A", "DELIVRD"), ("B", "DELIVRD"))
    Poller().run()
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_run__channel_was_not_claimed(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    channel = track_sms("A", omnimessage_id="X")
    make_due(whole)
    add_response(messente, ("A", "DELIVRD"))
    Poller().run()
    assert seen(channel).status == "delivered"
    assert seen(whole).next_poll_at is not None


@pytest.mark.parametrize("first", ["an answer", "a callback", "a callback before mark_sent"])
def test_run__omnimessage_pending_after_channel_failure(first: str, messente: Messente) -> None:
    whole = prepare_sms(NUMBER, channel="viber")
    failed = {"message_id": "V", "omnimessage_id": "X", "channel": "viber", "status": "UNDELIV", "err": 1}
    if first == "a callback before mark_sent":
        assert simulate_omnichannel_callback(failed, url=whole.callback_url).status_code == 200
    mark_sent(whole, omnimessage_id="X")
    if first == "a callback":
        assert simulate_omnichannel_callback(failed, url=whole.callback_url).status_code == 200
    make_due(whole)
    add_response(messente, ("V", "UNDELIV"), ("S", "ACK"))
    assert Poller().run().open == 1
    assert (seen(whole).status, seen(whole).next_poll_at is None) == ("sent", False)
    make_due(whole)
    add_response(messente, ("V", "UNDELIV"), ("S", "DELIVRD"))
    assert Poller().run().final == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_callback__failure_without_omnimessage_id() -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    assert simulate_callback(whole, "UNDELIV", "1", sms_unique_id="V").status_code == 200
    assert (seen(whole).status, seen(whole).next_poll_at is None) == ("sent", False)


@pytest.mark.usefixtures("each_path")
def test_callback__failure_of_tracked_channel() -> None:
    channel = track_sms("V", omnimessage_id="X", channel="viber")
    failed = {"message_id": "V", "omnimessage_id": "X", "channel": "viber", "status": "UNDELIV", "err": 1}
    assert simulate_omnichannel_callback(failed).status_code == 200
    assert (seen(channel).status, seen(channel).next_poll_at) == ("failed", None)


def test_run__all_channels_failed(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    make_due(whole)
    add_response(messente, ("V", "UNDELIV"), ("S", "UNDELIV"))
    assert Poller().run().final == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("failed", None)


def test_run__last_channel_pending_after_48_hours(messente: Messente, dlr_signals: SignalLog) -> None:
    whole = due(sms_unique_id=None, omnimessage_id="X", ago=WINDOW)
    add_response(messente, ("V", "UNDELIV"), ("S", "ACK"))
    assert Poller().run().unresolved == 1
    assert (seen(whole).status, seen(whole).next_poll_at) == ("unresolved", None)
    assert [name for name in dlr_signals.names if name in {"dlr_failed", "dlr_unresolved"}] == ["dlr_unresolved"]


def test_callback__delivery_on_second_channel(messente: Messente) -> None:
    whole = mark_sent(prepare_sms(NUMBER), omnimessage_id="X")
    for name, status in (("V", "UNDELIV"), ("S", "DELIVRD")):
        payload = {"message_id": name, "omnimessage_id": "X", "status": status, "err": 0}
        assert simulate_omnichannel_callback(payload, url=whole.callback_url).status_code == 200
    assert (seen(whole).status, seen(whole).next_poll_at) == ("delivered", None)


def test_run__status_unknown_to_older_release(messente: Messente) -> None:
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
def test_run__message_without_id_gets_one(by: str, messente: Messente) -> None:
    message = prepare_sms(NUMBER)
    make_due(message)
    Poller().run()
    assert due_at(message) > timezone.now() + timedelta(hours=23)
    if by != "mark_sent":
        sms_unique_id = "" if by.endswith("without an id") else "an-id"
        assert simulate_callback(message, "ACCEPTD", sms_unique_id=sms_unique_id).status_code == 200
    if by != "a report":
        mark_sent(message, "an-id")
    assert due_at(message) < timezone.now() + SOON


def test_callback__id_does_not_delay_poll(messente: Messente) -> None:
    message = prepare_sms(NUMBER)
    make_due(message)
    before = due_at(message)
    simulate_callback(message, "ACCEPTD", sms_unique_id="an-id")
    assert due_at(message) == before


def test_callback__pending_status_keeps_next_poll() -> None:
    later = timezone.now() + 3 * SOON
    message = due(next_poll_at=later)
    simulate_callback(message, "ACCEPTD")
    assert due_at(message) == later


def test_callback__id_keeps_next_poll_of_others() -> None:
    other = due(next_poll_at=timezone.now() + 3 * SOON)
    before = due_at(other)
    simulate_callback(prepare_sms(NUMBER), "ACCEPTD", sms_unique_id="an-id")
    assert due_at(other) == before


def test_mark_sent__unresolved_message_is_pending_again(messente: Messente) -> None:
    message = due(queued=True, ago=WINDOW)
    Poller().run()
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)
    mark_sent(message, "an-id")
    mark_sent(message, "an-id")
    assert due_at(message) < timezone.now() + SOON
    make_due(message)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    Poller(account_names=["default"]).run()
    assert (seen(message).status, seen(message).next_poll_at) == ("delivered", None)


def test_run__unresolved_twice(messente: Messente) -> None:
    message = due(status="unresolved", ago=WINDOW)
    SmsMessage.objects.filter(pk=message.pk).update(sent_at=None)  # polling ended before mark_sent was called
    mark_sent(message, str(message.sms_unique_id), sent_at=timezone.now() - WINDOW)
    make_due(message)
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 1
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)


def test_run__prepared_message_waits_however_old_it_is(messente: Messente, dlr_signals: SignalLog) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - 10 * WINDOW)
    for _ in range(2):
        make_due(message)
        assert Poller().run().unresolved == 0
        assert due_at(message) > timezone.now() + timedelta(hours=23)
    assert (seen(message).status, seen(message).report_expires_at) == ("queued", None)
    mark_sent(message, "an-id")
    assert due_at(message) < timezone.now() + SOON
    assert (seen(message).report_expires_at or timezone.now()) > timezone.now() + WINDOW - SOON
    assert dlr_signals.names == []


def test_run__report_begins_the_window_of_a_prepared_message(messente: Messente) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - 10 * WINDOW)
    assert simulate_callback(seen(message), "ACCEPTD", sms_unique_id="an-id").status_code == 200
    assert seen(message).report_expires_at == message.reports.get().received_at + WINDOW
    make_due(message)
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 0
    assert seen(message).status == "sent"


@pytest.mark.parametrize("ago", [timedelta(hours=1), WINDOW])
def test_run__message_is_sent_meanwhile(ago: timedelta, messente: Messente, monkeypatch: pytest.MonkeyPatch) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - ago)
    make_due(message)
    reschedule_unpollable = status_responses.reschedule_unpollable

    def send_and_reschedule(claimed: SmsMessage, **arguments: Any) -> PollResult:
        mark_sent(message, "an-id")
        return reschedule_unpollable(claimed, **arguments)

    monkeypatch.setattr(claims, "reschedule_unpollable", send_and_reschedule)
    assert Poller().run().unresolved == 0
    assert seen(message).status == "sent"
    assert due_at(message) < timezone.now() + SOON
