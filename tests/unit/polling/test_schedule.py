"""When a message is polled again, and when it becomes unresolved."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from django_messente_dlr.polling import Poller
from django_messente_dlr.sending import mark_sent, prepare_sms
from django_messente_dlr.signals import dlr_failed
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils.poll_schedule import REPORT_RETENTION
from tests.unit.messente.answering import BACKUP, FIRST, Messente
from tests.unit.polling.rows import REPORT, WINDOW, due, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("polls", "minutes"), [(0, 1), (1, 2), (4, 16), (20, 240)])
def test_run__intervals_grow(polls: int, minutes: int, messente: Messente, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    message = due(poll_count=polls)
    messente.answer(FIRST, REPORT, "FAILED 102")
    before = timezone.now()
    Poller().run()
    after = timezone.now()
    interval = timedelta(minutes=minutes)
    next_poll_at = seen(message).next_poll_at
    assert next_poll_at is not None
    assert before + interval <= next_poll_at <= after + interval
    assert seen(message).poll_count == polls + 1


def test_run__failed_request_counts_as_poll(messente: Messente) -> None:
    message = due()
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, "FAILED 209")
    Poller().run()
    assert seen(message).poll_count == 1
    assert (seen(message).next_poll_at or timezone.now()) > timezone.now()


def test_run__message_is_not_due(messente: Messente) -> None:
    due(next_poll_at=timezone.now() + timedelta(hours=1))
    assert Poller().run().asked == 0
    assert messente.hosts_asked() == []


def test_run__grace_period_for_callback(messente: Messente) -> None:
    mark_sent(prepare_sms("+37255500000"), "an-id")
    assert Poller().run().asked == 0
    assert messente.hosts_asked() == []


def test_run__last_poll_before_48_hours(messente: Messente) -> None:
    message = due(ago=WINDOW - timedelta(minutes=10), poll_count=20)
    messente.answer(FIRST, REPORT, "FAILED 102")
    Poller().run()
    assert seen(message).next_poll_at == message.created_at + WINDOW - timedelta(minutes=5)
    assert seen(message).status == "sent"


@pytest.mark.parametrize("validity", [60, 3 * 86400])
def test_run__window_begins_after_the_validity(validity: int, messente: Messente) -> None:
    seconds = timedelta(seconds=validity)
    pending = due(ago=REPORT_RETENTION + seconds - timedelta(minutes=10), validity=validity)
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 0
    expired = due(ago=REPORT_RETENTION + seconds, validity=validity, omnimessage_id="")
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 1
    assert (seen(pending).status, seen(expired).status) == ("sent", "unresolved")


@pytest.mark.parametrize("sent", [True, False])
def test_run__scheduled_message_is_polled_after_its_time(messente: Messente, *, sent: bool) -> None:
    at = timezone.now() + timedelta(days=3)
    message = due(send_at=at, sent_at=at if sent else None, ago=WINDOW)
    messente.answer(FIRST, REPORT, "FAILED 102")
    assert Poller().run().unresolved == 0
    assert (seen(message).next_poll_at or at) > at
    assert seen(message).report_expires_at == at + WINDOW


@pytest.mark.parametrize("answer", ["FAILED 102", "OK SENT", "ERROR 107", "rubbish"])
def test_run__unresolved_after_48_hours(answer: str, messente: Messente, dlr_signals: SignalLog) -> None:
    message = due(ago=WINDOW)
    messente.answer(FIRST, REPORT, answer)
    assert Poller().run().unresolved == 1
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)
    assert seen(message).error_text == "Messente reported no final status within 48 hours."
    assert dlr_signals.names.count("dlr_unresolved") == 1
    assert dlr_signals.arguments("dlr_status_changed")["previous"] == "sent"
    assert "dlr_failed" not in dlr_signals.names
    assert Poller().run().asked == 0


def test_run__final_status_after_48_hours(messente: Messente) -> None:
    message = due(ago=WINDOW)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    summary = Poller().run()
    assert (summary.final, summary.unresolved) == (1, 0)
    assert seen(message).status == "delivered"


@pytest.mark.parametrize(("stat", "err", "status"), [("DELIVRD", "", "delivered"), ("UNDELIV", "1", "failed")])
def test_callback__corrects_unresolved_message(
    stat: str, err: str, status: str, messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due(ago=WINDOW)
    messente.answer(FIRST, REPORT, "FAILED 102")
    Poller().run()
    dlr_signals.clear()
    assert simulate_callback(seen(message), stat, err).status_code == 200
    assert (seen(message).status, seen(message).next_poll_at) == (status, None)
    assert dlr_signals.arguments("dlr_status_changed")["previous"] == "unresolved"


def test_run__callback_during_request(messente: Messente) -> None:
    now = timezone.now()
    first, second = (due(next_poll_at=now - timedelta(seconds=seconds)) for seconds in (2, 1))
    messente.answer(FIRST, REPORT, "OK FAILED")
    messente.answer(FIRST, REPORT, "OK SENT")

    def deliver_second(**kwargs: object) -> None:
        simulate_callback(second)  # the poller has claimed it already

    dlr_failed.connect(deliver_second)
    Poller().run()
    assert (seen(first).status, seen(second).status) == ("failed", "delivered")
    assert seen(second).next_poll_at is None
    assert Poller().run().asked == 0


def test_run__message_without_id(messente: Messente, dlr_signals: SignalLog) -> None:
    message = due(queued=True)
    assert Poller().run().asked == 0
    assert seen(message).next_poll_at == message.created_at + WINDOW
    assert seen(message).poll_count == 0
    lost = due(queued=True, ago=WINDOW)
    assert Poller().run().unresolved == 1
    assert seen(lost).status == "unresolved"
    assert "polling was not possible: the message has no id of Messente's" in seen(lost).error_text
    # prepare_sms creates the same row, and another client may never have sent the message.
    assert seen(lost).error_text.endswith("was lost, or mark_sent was not called, perhaps because it was never sent.")
    assert dlr_signals.names.count("dlr_unresolved") == 1
    assert messente.hosts_asked() == []
