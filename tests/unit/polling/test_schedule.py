"""When a message is asked about again, and when nobody asks any more."""

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
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("polls", "minutes"), [(0, 1), (1, 2), (4, 16), (20, 240)])
def test_the_next_question_comes_after_a_growing_interval(
    polls: int, minutes: int, messente: Messente, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    message = due(poll_count=polls)
    messente.answer(FIRST, REPORT, "FAILED 102")
    before = timezone.now()
    Poller().run()
    after = timezone.now()
    interval = timedelta(minutes=minutes)
    at = seen(message).next_poll_at
    assert at is not None
    assert before + interval <= at <= after + interval
    assert seen(message).poll_count == polls + 1


def test_a_failed_question_waits_as_long_as_one_that_told_nothing(messente: Messente) -> None:
    message = due()
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, "FAILED 209")
    Poller().run()
    assert seen(message).poll_count == 1
    assert (seen(message).next_poll_at or timezone.now()) > timezone.now()


def test_a_message_is_not_asked_about_before_its_time(messente: Messente) -> None:
    due(next_poll_at=timezone.now() + timedelta(hours=1))
    assert Poller().run().asked == 0
    assert messente.hosts_asked() == []


def test_a_message_whose_callback_is_awaited_is_not_asked_about_at_once(messente: Messente) -> None:
    mark_sent(prepare_sms("+37255500000"), "an-id")
    assert Poller().run().asked == 0
    assert messente.hosts_asked() == []


def test_the_last_question_comes_shortly_before_the_48_hours_are_over(messente: Messente) -> None:
    message = due(ago=REPORT_RETENTION - timedelta(minutes=10), poll_count=20)
    messente.answer(FIRST, REPORT, "FAILED 102")
    Poller().run()
    assert seen(message).next_poll_at == message.created_at + REPORT_RETENTION - timedelta(minutes=5)
    assert seen(message).status == "sent"


@pytest.mark.parametrize("answer", ["FAILED 102", "OK SENT", "ERROR 107", "rubbish"])
def test_after_48_hours_a_message_is_unresolved_and_nobody_asks_again(
    answer: str, messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due(ago=REPORT_RETENTION)
    messente.answer(FIRST, REPORT, answer)
    assert Poller().run().unresolved == 1
    assert (seen(message).status, seen(message).next_poll_at) == ("unresolved", None)
    assert seen(message).error_text == "Messente reported nothing final within its 48 hours."
    assert dlr_signals.names.count("dlr_unresolved") == 1
    assert dlr_signals.arguments("dlr_status_changed")["previous"] == "sent"
    assert "dlr_failed" not in dlr_signals.names
    assert Poller().run().asked == 0


def test_a_message_that_ends_with_the_last_question_is_not_unresolved(messente: Messente) -> None:
    message = due(ago=REPORT_RETENTION)
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    summary = Poller().run()
    assert (summary.final, summary.unresolved) == (1, 0)
    assert seen(message).status == "delivered"


@pytest.mark.parametrize(("stat", "err", "status"), [("DELIVRD", "", "delivered"), ("UNDELIV", "1", "failed")])
def test_a_late_report_corrects_an_unresolved_message(
    stat: str, err: str, status: str, messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due(ago=REPORT_RETENTION)
    messente.answer(FIRST, REPORT, "FAILED 102")
    Poller().run()
    dlr_signals.clear()
    assert simulate_callback(seen(message), stat, err).status_code == 200
    assert (seen(message).status, seen(message).next_poll_at) == (status, None)
    assert dlr_signals.arguments("dlr_status_changed")["previous"] == "unresolved"


def test_a_report_that_comes_while_messente_is_asked_is_not_undone(messente: Messente) -> None:
    now = timezone.now()
    first, second = (due(next_poll_at=now - timedelta(seconds=seconds)) for seconds in (2, 1))
    messente.answer(FIRST, REPORT, "OK FAILED")
    messente.answer(FIRST, REPORT, "OK SENT")

    def tell_of_the_second(**kwargs: object) -> None:
        simulate_callback(second)  # which is claimed by now

    dlr_failed.connect(tell_of_the_second)
    Poller().run()
    assert (seen(first).status, seen(second).status) == ("failed", "delivered")
    assert seen(second).next_poll_at is None
    assert Poller().run().asked == 0


def test_a_message_without_an_id_is_not_asked_about_but_given_up_after_48_hours(
    messente: Messente, dlr_signals: SignalLog
) -> None:
    message = due(queued=True)
    assert Poller().run().asked == 0
    assert seen(message).next_poll_at == message.created_at + REPORT_RETENTION
    assert seen(message).poll_count == 0
    lost = due(queued=True, ago=REPORT_RETENTION)
    assert Poller().run().unresolved == 1
    assert seen(lost).status == "unresolved"
    assert "polling was not possible: the message has no id of Messente's" in seen(lost).error_text
    # prepare_sms leaves the same row, which another client has perhaps not sent at all
    assert seen(lost).error_text.endswith("was lost, or mark_sent was not called, perhaps because it was never sent.")
    assert dlr_signals.names.count("dlr_unresolved") == 1
    assert messente.hosts_asked() == []
