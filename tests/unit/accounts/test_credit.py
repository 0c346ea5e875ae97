"""The credit hold: one per outage, which ends automatically when there is credit."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.exceptions import CreditsExhausted
from django_messente_dlr.models import Account, SmsMessage
from django_messente_dlr.sending import prepare_sms, send_sms
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


@pytest.mark.parametrize("stat", ["ACCEPTD", "UNKNOWN", "UNDELIV", "PONDERD", ""])
def test_hold__starts_for_any_stat(stat: str, each_path: str) -> None:
    simulate_callback(SmsMessageFactory.create(), stat, 4)
    assert accounts.is_held("default")


@pytest.mark.parametrize(("stat", "err"), [("DELIVRD", "4"), ("SEEN", "4"), ("REJECTD", "7"), ("PONDERD", "44")])
def test_hold__does_not_start(stat: str, err: str, each_path: str) -> None:
    simulate_callback(SmsMessageFactory.create(), stat, err)
    assert not accounts.is_held("default")


def test_hold__starts_after_another_cause(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create()
    simulate_callback(message, "REJECTD", 7)
    simulate_callback(message, *NO_CREDIT)
    assert accounts.is_held("default")
    assert dlr_signals.names.count("credits_exhausted") == 1
    message.refresh_from_db()
    assert message.err == 7


def test_hold__does_not_start_for_a_delivered_message() -> None:
    message = SmsMessageFactory.create()
    simulate_callback(message)
    simulate_callback(message, *NO_CREDIT)
    assert not accounts.is_held("default")


@pytest.mark.parametrize("repeated", [NO_CREDIT, ("EXPIRED", 4), ("ACCEPTD", 4)])
def test_hold__starts_once_for_each_message(repeated: tuple[str, int]) -> None:
    """The message is scheduled: it is sent after any hold that has ended until then."""
    message = SmsMessageFactory.create(sent_at=timezone.now() + timedelta(days=1))
    simulate_callback(message, *NO_CREDIT)
    assert accounts.release_hold("default", now=timezone.now())
    simulate_callback(message, *repeated)
    assert not accounts.is_held("default")


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


@pytest.mark.parametrize(
    ("floor", "balance", "held"),
    [(2, "2", True), (2.5, "2.51", False), (Decimal("0.07"), "0.07", True), (Decimal("0.07"), "0.071", False)],
)
def test_record_balance__credit_floor(settings: Any, floor: Any, balance: str, *, held: bool) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CREDIT_FLOOR": floor}
    AccountFactory.create(held=True)
    assert accounts.record_balance("default", Decimal(balance), now=timezone.now()) is not held
    assert accounts.is_held("default") is held


def hold(at: datetime, balance: str) -> bool:
    """Start a hold and check the balance a minute later; return whether the check ended the hold."""
    assert accounts.start_hold("default", sent_at=at, now=at)
    return accounts.record_balance("default", Decimal(balance), now=at + timedelta(minutes=1))


def test_record_balance__ends_next_hold_although_the_balance_falls() -> None:
    now = timezone.now()
    assert hold(now, "500")
    assert hold(now + timedelta(minutes=5), "499.90")


def test_record_balance__third_hold_within_an_hour_lasts_an_hour(dlr_signals: SignalLog) -> None:
    now = timezone.now()
    third = now + timedelta(minutes=30)
    assert hold(now, "500")
    assert hold(now + timedelta(minutes=10), "499.90")
    assert not hold(third, "499.80")
    assert not accounts.record_balance("default", Decimal(500), now=third + timedelta(minutes=59))
    assert dlr_signals.names == ["credits_restored"] * 2
    assert accounts.record_balance("default", Decimal("499.80"), now=third + timedelta(minutes=60))
    assert hold(third + timedelta(minutes=70), "499.70")


def test_record_balance__higher_balance_ends_third_hold() -> None:
    now = timezone.now()
    for minutes in (0, 10):
        assert hold(now + timedelta(minutes=minutes), "0.01")
    assert not hold(now + timedelta(minutes=20), "0.01")
    assert accounts.record_balance("default", Decimal("0.02"), now=now + timedelta(minutes=25))
    assert all(hold(now + timedelta(minutes=minutes), "0.02") for minutes in (30, 35))
    assert not hold(now + timedelta(minutes=40), "0.02")


def test_record_balance__three_holds_in_more_than_an_hour() -> None:
    now = timezone.now()
    assert all(hold(now + timedelta(minutes=minutes), "7") for minutes in (0, 30, 60, 90, 120))


def test_record_balance__counts_each_hold_once() -> None:
    """An account without credit is checked every minute. Credit that is added ends the hold."""
    now = timezone.now()
    assert not hold(now, "0")
    for minutes in range(2, 10):
        assert not accounts.record_balance("default", Decimal(0), now=now + timedelta(minutes=minutes))
    assert accounts.record_balance("default", Decimal(5), now=now + timedelta(minutes=10))
    assert len(Account.objects.get().recent_holds) == 1


def test_record_balance__requested_before_the_hold() -> None:
    now = timezone.now()
    AccountFactory.create(credits_exhausted_at=now)
    assert not accounts.record_balance("default", Decimal(50), now=now - timedelta(seconds=1))
    assert accounts.is_held("default")


def test_refuse_if_held__states_how_long_the_hold_lasts() -> None:
    now = timezone.now()
    for minutes in (-20, -15, -10):
        hold(now + timedelta(minutes=minutes), "500")
    until = f"{now + timedelta(minutes=50):%Y-%m-%d %H:%M} UTC"
    sentence = f"third hold within an hour without a higher balance, so no balance check ends it before {until}"
    with pytest.raises(CreditsExhausted, match=sentence):
        send_sms(NUMBER, "Hello")
    with pytest.raises(CreditsExhausted, match=sentence):
        prepare_sms(NUMBER)
    assert not SmsMessage.objects.exists()


def test_prepare_sms__hold_is_switched_off(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "HOLD_ON_CREDITS_EXHAUSTED": False}
    AccountFactory.create(held=True)
    assert prepare_sms(NUMBER).status == "queued"


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
