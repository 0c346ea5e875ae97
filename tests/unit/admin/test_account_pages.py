from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from django_messente_dlr import accounts
from django_messente_dlr.models import Account
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, admin_messages, html, list_url, listed, page_url

pytestmark = pytest.mark.django_db

ACTION = "lift_credit_hold"


def test_account_list__name_order_and_credit(admin_client: Client) -> None:
    second = AccountFactory.create(name="marketing", balance=Decimal("129.345"))
    first = AccountFactory.create(name="default", held=True, last_poll_error="Messente refused the credentials.")
    assert listed(admin_client, Account) == [first, second]
    page = html(admin_client, list_url(Account))
    for text in ("On hold: out of credits", "Not on hold", "129.345", "Messente refused the credentials."):
        assert text in page


def test_account_page__last_activity(admin_client: Client) -> None:
    account = AccountFactory.create(held=True, balance=Decimal("0"), last_poll_error="No answer.")
    page = html(admin_client, page_url(account))
    for text in ("On hold: out of credits", ">0.00<", "No answer.", "Last callback at", "Lift the credit hold"):
        assert text in page


def test_account_page__third_hold_within_an_hour(admin_client: Client) -> None:
    now, sentence = timezone.now(), "No balance check ends it before"
    for minutes in (-20, -10, 0):
        assert sentence not in html(admin_client, list_url(Account))
        at = now + timedelta(minutes=minutes)
        assert accounts.start_hold("default", sent_at=at, now=at)
        accounts.record_balance("default", Decimal(500), now=at)
    for page in (list_url(Account), page_url(Account.objects.get())):
        assert html(admin_client, page).count(sentence) == 2  # in the banner and beside the badge


@pytest.mark.parametrize("count", [1, 20])
def test_account_list__query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        AccountFactory.create(name=f"account-{number}")
    with django_assert_num_queries(5):
        assert len(listed(admin_client, Account)) == count


def test_lift_credit_hold__held_and_idle_account(
    admin_client: Client,
    dlr_signals: SignalLog,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    held, idle = AccountFactory.create(held=True), AccountFactory.create(name="marketing")
    with django_capture_on_commit_callbacks(execute=True):
        response = act(admin_client, ACTION, idle, held)
    assert response.status_code == 302
    assert admin_messages(response) == [
        ("success", "The credit hold of “default” is lifted. Messages can be sent from this account again."),
        ("info", "“marketing” was not on hold. Nothing was changed."),
    ]
    assert not accounts.is_held("default")
    assert dlr_signals.names == ["credits_restored"]
    assert dlr_signals.arguments("credits_restored")["account"] == "default"
    assert "Lifted the credit hold." in html(admin_client, page_url(held, "history"))
    assert "Lifted the credit hold." not in html(admin_client, page_url(idle, "history"))


def test_lift_credit_hold__get_request(admin_client: Client) -> None:
    account = AccountFactory.create(held=True)
    admin_client.get(list_url(Account), {"action": ACTION, "_selected_action": str(account.pk), "index": "0"})
    assert accounts.is_held("default")


def test_account_list__balance_not_rounded(admin_client: Client) -> None:
    accounts.record_balance("default", Decimal("0.004"), now=timezone.now())
    assert "0.004" in html(admin_client, list_url(Account))


def test_account_page__button_lifts_hold(staff: Staff) -> None:
    account = AccountFactory.create(held=True)
    button = 'name="action" value="lift_credit_hold"'
    assert button not in html(staff("view_account"), page_url(account))
    client = staff("view_account", "change_account")
    assert button in html(client, page_url(account))
    act(client, ACTION, account)
    assert button not in html(client, page_url(account))


@pytest.mark.parametrize(
    ("balance", "held", "levels"), [("12.30", True, ["success", "success"]), ("0.00", True, ["success"])]
)
def test_check_balance__ends_hold_if_credit(
    admin_client: Client, settings: Any, balance: str, held: bool, levels: list[str]
) -> None:
    account = AccountFactory.create(held=held)
    with Sandbox({"shop": "a-password"}, balance=balance) as sandbox:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [sandbox.url, sandbox.url]}
        response = act(admin_client, "check_balance", account)
    shown = admin_messages(response)
    assert shown[0] == ("success", f"The balance of “default” is {balance} EUR.")
    assert [level for level, _text in shown] == levels
    account.refresh_from_db()
    assert account.balance == Decimal(balance)
    assert accounts.is_held("default") is (balance == "0.00")


def test_check_balance__third_hold_lasts(admin_client: Client, settings: Any) -> None:
    now = timezone.now()
    for minutes in (-20, -10, 0):
        at = now + timedelta(minutes=minutes)
        assert accounts.start_hold("default", sent_at=at, now=at)
        accounts.record_balance("default", Decimal(500), now=at)
    with Sandbox({"shop": "a-password"}, balance="500.00") as sandbox:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [sandbox.url, sandbox.url]}
        shown = admin_messages(act(admin_client, "check_balance", Account.objects.get()))
    assert [level for level, _text in shown] == ["success", "warning"]
    assert "No balance check ends it before" in shown[1][1]


@pytest.mark.parametrize("name", ["default", "not configured"])
def test_check_balance__no_answer(admin_client: Client, name: str) -> None:
    account = AccountFactory.create(name=name)
    [(level, text)] = admin_messages(act(admin_client, "check_balance", account))
    assert level == "error"
    assert text.startswith(f"The balance of “{name}” could not be requested: ")


def test_account_page__balance_button_permission(staff: Staff) -> None:
    account = AccountFactory.create()
    button = 'name="action" value="check_balance"'
    assert button not in html(staff("view_account"), page_url(account))
    assert button in html(staff("view_account", "change_account"), page_url(account))


def test_account_page__key_uses_in_local_time(admin_client: Client) -> None:
    account = AccountFactory.create(
        key_uses={"1234abcd": "2026-07-01T21:30:00+00:00", "5678ef01": "2026-07-02T09:00:00+00:00"}
    )
    page = html(admin_client, page_url(account))
    uses = re.findall(r"<li><code>(\w+)</code> ([^<]*)</li>", page)
    assert uses == [("5678ef01", "07/02/2026 noon"), ("1234abcd", "07/02/2026 12:30 a.m.")]


def test_account_page__link_to_messages(admin_client: Client, staff: Staff) -> None:
    account = AccountFactory.create(name="shop & more")
    message = SmsMessageFactory.create(account=account.name)
    SmsMessageFactory.create()
    [link] = re.findall(r'href="([^"]*account=[^"]*)"', html(admin_client, page_url(account)))
    assert list(admin_client.get(link).context["cl"].result_list) == [message]
    assert "?account=" not in html(staff("view_account"), page_url(account))
