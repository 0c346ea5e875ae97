"""Accounts: one that Messente refuses is stopped, says so, and keeps nobody else from being served."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.accounts import is_held
from django_messente_dlr.models import Account
from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.plugin import SignalLog
from tests.messente.answering import FIRST, OMNICHANNEL, Messente
from tests.polling.rows import REPORT, due, make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [("ERROR 101", "Compare USERNAME and PASSWORD"), ("ERROR 103", "Add the address to the allowed ones")],
)
def test_a_refused_account_is_stopped_at_once_and_says_what_to_do(
    answer: str, advice: str, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [due() for _ in range(5)]
    messente.answer(FIRST, REPORT, answer)
    with caplog.at_level(logging.ERROR, "django_messente_dlr"):
        summary = Poller().run()
    assert list(summary.stopped) == ["default"]
    assert advice in summary.stopped["default"]
    assert len(messente.calls) < len(messages)
    assert advice in Account.objects.get(name="default").last_poll_error
    assert caplog.text.count("Polling of account default was stopped") == 1
    assert all(seen(message).status == "sent" for message in messages)


def test_the_other_accounts_go_on(messente: Messente) -> None:
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


def test_an_omnichannel_refusal_stops_the_account_too(messente: Messente) -> None:
    due(omnimessage_id="an-omni-id")
    messente.add(responses.GET, f"{OMNICHANNEL}/omnimessage/an-omni-id/status", status=401)
    assert list(Poller().run().stopped) == ["default"]


def test_the_mark_goes_when_the_account_is_served_again(messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    Poller().run()
    make_due(message)
    assert Poller().run().stopped == {}
    assert Account.objects.get(name="default").last_poll_error == ""
    assert seen(message).status == "delivered"


def test_only_the_accounts_that_were_named_are_polled(messente: Messente) -> None:
    due()
    other = due(account="marketing")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert Poller(account_names=["marketing"]).run().asked == 1
    assert messente.body()["sms_unique_id"] == other.sms_unique_id
    assert not Account.objects.filter(name="default").exists()


def test_an_account_that_is_not_configured_cannot_be_polled() -> None:
    with pytest.raises(ImproperlyConfigured, match="no account «nobody»"):
        Poller(account_names=["nobody"])


def test_a_hold_is_lifted_once_the_balance_shows_credit(messente_sandbox: Sandbox, dlr_signals: SignalLog) -> None:
    call_back(SmsMessageFactory.create(), "REJECTD", "4")
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


@pytest.mark.parametrize("answer", ["ERROR 101", "rubbish", "OK NaN", "FAILED 209"])
def test_a_balance_that_is_not_told_keeps_the_hold_and_is_logged(
    answer: str, messente: Messente, caplog: pytest.LogCaptureFixture
) -> None:
    AccountFactory.create(held=True)
    messente.add(responses.POST, f"{FIRST}/get_balance/", answer)
    with caplog.at_level(logging.WARNING, "django_messente_dlr"):
        Poller().run()
    assert is_held("default")
    assert "The balance of account default could not be asked for" in caplog.text


def test_the_balance_of_an_account_that_is_not_on_hold_is_not_asked_for(messente: Messente) -> None:
    AccountFactory.create()
    Poller().run()
    assert messente.hosts_asked() == []
