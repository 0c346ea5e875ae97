"""The credit hold: one per outage, which ends automatically when there is credit."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.models import Account
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
NO_CREDIT = ("REJECTD", 4)


def exhaust(*, sent_at: datetime | None = None, **attributes: Any) -> None:
    """Send a callback with the failure of a message for lack of credit."""
    times = {"created_at": sent_at} if sent_at else {}
    assert simulate_callback(SmsMessageFactory.create(**times, **attributes), *NO_CREDIT).status_code == 200


def test_hold__starts_once_per_outage(dlr_signals: SignalLog) -> None:
    for _ in range(3):
        exhaust()
    assert accounts.is_held("default")
    assert dlr_signals.names.count("credits_exhausted") == 1
    assert dlr_signals.names.count("dlr_failed") == 3
    assert dlr_signals.arguments("credits_exhausted")["account"] == "default"
    with pytest.raises(CreditsExhausted):
        send_sms(NUMBER, "Hello")


def test_hold__is_per_account(dlr_signals: SignalLog) -> None:
    exhaust()
    exhaust(account="marketing")
    assert [arguments["account"] for name, arguments in dlr_signals if name == "credits_exhausted"] == [
        "default",
        "marketing",
    ]


def test_hold__starts_when_the_cause_comes_later(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create()
    simulate_callback(message, "REJECTD")
    assert not accounts.is_held("default")
    simulate_callback(message, *NO_CREDIT)
    assert accounts.is_held("default")
    assert dlr_signals.names.count("dlr_failed") == 1
    assert dlr_signals.names.count("credits_exhausted") == 1


def test_hold__ends_with_delivery_of_a_later_message(dlr_signals: SignalLog) -> None:
    exhaust()
    for _ in range(2):
        assert simulate_callback(SmsMessageFactory.create()).status_code == 200
    assert not accounts.is_held("default")
    assert dlr_signals.names.count("credits_restored") == 1
    arguments = dlr_signals.arguments("credits_restored")
    assert (arguments["account"], arguments["message"].status) == ("default", "delivered")


def test_hold__continues_after_delivery_of_earlier_message() -> None:
    earlier = SmsMessageFactory.create()
    exhaust()
    simulate_callback(earlier)
    assert accounts.is_held("default")


@pytest.mark.parametrize(("stat", "err"), [("ACCEPTD", ""), ("UNDELIV", "1"), ("REJECTD", "7")])
def test_hold__continues_without_delivery(stat: str, err: str, dlr_signals: SignalLog) -> None:
    exhaust()
    message = SmsMessageFactory.create(queued=True, sent_at=timezone.now())
    assert simulate_callback(message, stat, err, sms_unique_id="an-id").status_code == 200
    assert accounts.is_held("default")
    assert "credits_restored" not in dlr_signals.names


def test_hold__ends_with_message_created_before_and_sent_after() -> None:
    created_at = timezone.now() - timedelta(hours=1)
    exhaust()
    simulate_callback(SmsMessageFactory.create(created_at=created_at, sent_at=timezone.now()))
    assert not accounts.is_held("default")


def test_hold__late_report_of_earlier_outage(dlr_signals: SignalLog) -> None:
    """Reports of messages that failed in one outage come one after the other, some when there is credit again."""
    before = timezone.now() - timedelta(minutes=1)
    exhaust(sent_at=before)
    assert accounts.release_hold("default", now=timezone.now())
    exhaust(sent_at=before)
    assert not accounts.is_held("default")
    assert dlr_signals.names.count("credits_exhausted") == 1
    exhaust(sent_at=timezone.now() + timedelta(seconds=1))
    assert dlr_signals.names.count("credits_exhausted") == 2


@pytest.mark.parametrize(("balance", "held"), [("0.01", False), ("0", True), ("-3", True)])
def test_record_balance__credit_ends_hold(balance: str, dlr_signals: SignalLog, *, held: bool) -> None:
    AccountFactory.create(held=True)
    assert accounts.record_balance("default", Decimal(balance), now=timezone.now()) is not held
    assert accounts.is_held("default") is held
    assert dlr_signals.names == ([] if held else ["credits_restored"])
    assert Account.objects.get().balance == Decimal(balance)


def test_record_balance__same_balance_keeps_next_hold(dlr_signals: SignalLog) -> None:
    """A cent is left, less than a message costs: the hold ends once, and not again at each balance check."""
    now = timezone.now()
    for minute in range(5):
        at = now + timedelta(minutes=minute)
        accounts.start_hold("default", sent_at=at, now=at)
        accounts.record_balance("default", Decimal("0.01"), now=at + timedelta(seconds=30))
    assert accounts.is_held("default")
    assert dlr_signals.names == ["credits_restored"]
    assert accounts.record_balance("default", Decimal("0.02"), now=now + timedelta(minutes=6))


def test_record_balance__same_balance_after_an_hour() -> None:
    """The credit may have been used and bought again meanwhile."""
    now = timezone.now()
    accounts.start_hold("default", sent_at=now, now=now)
    assert accounts.record_balance("default", Decimal(50), now=now + timedelta(minutes=1))
    later = now + timedelta(minutes=2)
    assert accounts.start_hold("default", sent_at=later, now=later)
    assert not accounts.record_balance("default", Decimal(50), now=now + timedelta(minutes=3))
    assert accounts.record_balance("default", Decimal(50), now=now + timedelta(minutes=61))


def test_record_balance__requested_before_the_hold() -> None:
    now = timezone.now()
    AccountFactory.create(credits_exhausted_at=now)
    assert not accounts.record_balance("default", Decimal(50), now=now - timedelta(seconds=1))
    assert accounts.is_held("default")


def test_release_hold__once(dlr_signals: SignalLog) -> None:
    AccountFactory.create(held=True)
    assert accounts.release_hold("default", now=timezone.now())
    assert not accounts.release_hold("default", now=timezone.now())
    assert dlr_signals.names == ["credits_restored"]


def test_record_balance__without_hold(dlr_signals: SignalLog) -> None:
    assert not accounts.record_balance("default", Decimal("707.54"), now=timezone.now())
    assert dlr_signals == []
    assert Account.objects.get().balance_checked_at is not None


def test_record_poll__stores_and_clears_error() -> None:
    accounts.record_poll("default", now=timezone.now(), error="x" * 300)
    assert Account.objects.get().last_poll_error == "x" * 255
    accounts.record_poll("default", now=timezone.now())
    assert Account.objects.get().last_poll_error == ""
