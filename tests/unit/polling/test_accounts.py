"""Accounts in a run: those that Messente refuses, those that are not configured, and those on credit hold."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_messente_dlr.accounts import is_held, start_hold
from django_messente_dlr.models import Account
from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.unit.polling.rows import REPORT, WINDOW, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [("ERROR 101", "Compare USERNAME and PASSWORD"), ("ERROR 103", "Add the address to the allowed addresses")],
)
def test_run__refused_account_is_stopped_with_advice(
    answer: str, advice: str, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [due() for _ in range(5)]
    messente.answer(FIRST, REPORT, answer)
    with caplog.at_level(logging.ERROR, "django_messente_dlr"):
        summary = Poller().run()
    assert list(summary.stopped) == ["default"]
    assert advice in summary.stopped["default"]
    assert len(messente.calls) < len(messages)
    assert advice in Account.objects.get(name="default").poll_error_description
    assert caplog.text.count("Polling of account default was stopped") == 1
    assert all(seen(message).status == "sent" for message in messages)


def test_run__polls_other_accounts_after_refusal(messente: Messente) -> None:
    refused, other = due(), due(account="marketing")

    def answer(request: object) -> tuple[int, dict[str, str], str]:
        refuses = "username=shop" in str(getattr(request, "body", ""))
        return 200, {}, "ERROR 101" if refuses else "OK DELIVERED"

    messente.add_callback(responses.POST, f"{FIRST}/{REPORT}/", answer)
    summary = Poller().run()
    assert (seen(refused).status, seen(other).status) == ("sent", "delivered")
    assert list(summary.stopped) == ["default"]
    assert Account.objects.get(name="marketing").last_poll_error == ""
    assert Account.objects.get(name="marketing").last_poll_at is not None


def test_run__omnichannel_api_refuses_account(messente: Messente) -> None:
    due(omnimessage_id="an-omni-id")
    messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/an-omni-id/status", status=401)
    assert list(Poller().run().stopped) == ["default"]


def test_run__clears_poll_error_after_response(messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    Poller().run()
    make_due(message)
    assert Poller().run().stopped == {}
    assert Account.objects.get(name="default").last_poll_error == ""
    assert seen(message).status == "delivered"


def test_run__keeps_poll_error_without_requests(messente: Messente) -> None:
    """cron starts a new poller each minute, and refused messages are due only when their claim has expired."""
    message = due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    Poller().run()
    stopped = Account.objects.get(name="default")
    assert Poller().run().asked == 0
    polled = Account.objects.get(name="default")
    assert "Compare USERNAME and PASSWORD" in stopped.poll_error_description
    assert polled.last_poll_error == stopped.last_poll_error
    assert polled.last_poll_at != stopped.last_poll_at
    simulate_callback(message, "DELIVRD")
    assert Poller().run().asked == 0
    assert Account.objects.get(name="default").last_poll_error == ""


def test_run__polls_given_accounts_only(messente: Messente) -> None:
    due()
    other = due(account="marketing")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller(account_names=["marketing"]).run().asked == 1
    assert messente.body()["sms_unique_id"] == other.sms_unique_id
    assert not Account.objects.filter(name="default").exists()


def test_run__account_is_not_configured(messente: Messente, caplog: pytest.LogCaptureFixture) -> None:
    now = timezone.now()
    pending, expiring, expired = (
        due(account="former", ago=ago) for ago in (WINDOW / 2, WINDOW - HALF_AN_HOUR, WINDOW)
    )
    with caplog.at_level(logging.WARNING, "django_messente_dlr"):
        summary = Poller().run()
    assert (summary.asked, summary.postponed, summary.unresolved) == (0, 2, 1)
    assert (
        caplog.text.count(
            "Messages of account former are not polled, because it is not configured. Put it back into MESSENTE_DLR"
        )
        == 1
    )
    assert messente.hosts_asked() == []
    next_poll_at = seen(pending).next_poll_at
    assert next_poll_at is not None
    assert timedelta(minutes=55) < next_poll_at - now < timedelta(minutes=65)
    assert seen(expiring).next_poll_at == expiring.created_at + WINDOW
    assert seen(expired).error_text.endswith("polling was not possible: its account is not configured.")
    assert {seen(message).poll_count for message in (pending, expiring, expired)} == {0}
    assert expired.reports.get().payload == {"polls": 0}


def test_run__account_is_configured_again(messente: Messente, settings: Any) -> None:
    message = due(account="former")
    Poller().run()
    accounts = {
        **settings.MESSENTE_DLR["ACCOUNTS"],
        "former": {"USERNAME": "former", "PASSWORD": "a-former-password"},
    }
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "ACCOUNTS": accounts}
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    make_due(message)
    assert Poller().run().final == 1
    assert seen(message).status == "delivered"


def test_poller__unknown_account() -> None:
    with pytest.raises(ImproperlyConfigured, match="no account 'unknown'"):
        Poller(account_names=["unknown"])


def test_run__ends_credit_hold_once(messente_sandbox: Sandbox, dlr_signals: SignalLog) -> None:
    simulate_callback(SmsMessageFactory.create(), "REJECTD", "4")
    messente_sandbox.balance = Decimal(0)
    Poller().run()
    assert is_held("default")
    assert Account.objects.get(name="default").balance == 0
    assert "credits_restored" not in dlr_signals.names
    messente_sandbox.balance = Decimal("12.5")
    Poller().run()
    Poller().run()
    assert not is_held("default")
    assert Account.objects.get(name="default").balance == Decimal("12.5")
    assert dlr_signals.names.count("credits_restored") == 1
    assert dlr_signals.arguments("credits_restored") == {"account": "default", "message": None, "report": None}


def test_run__describes_a_hold_that_lasts(messente_sandbox: Sandbox) -> None:
    now = timezone.now()
    messente_sandbox.balance = Decimal(500)
    summaries = []
    for minutes in (-20, -10, 0):
        Account.objects.update(credits_restored_at=None)
        at = now + timedelta(minutes=minutes)
        assert start_hold("default", sent_at=at, now=at)
        summaries.append(Poller().run())
    first, second, summary = summaries
    assert (first.held, second.held) == ({}, {})
    assert summary.asked == 0
    assert f"no balance check ends it before {now + timedelta(hours=1):%Y-%m-%d %H:%M} UTC" in summary.held["default"]


@pytest.mark.parametrize("answer", ["ERROR 101", "rubbish", "OK NaN", "FAILED 209"])
def test_run__unknown_balance_keeps_credit_hold(
    answer: str, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    AccountFactory.create(held=True)
    messente.add(responses.POST, f"{FIRST}/get_balance/", answer)
    with caplog.at_level(logging.WARNING, "django_messente_dlr"):
        Poller().run()
    assert is_held("default")
    assert "The balance of account default could not be requested" in caplog.text


def test_run__requests_no_balance_without_hold(messente: Messente) -> None:
    AccountFactory.create()
    Poller().run()
    assert messente.hosts_asked() == []
