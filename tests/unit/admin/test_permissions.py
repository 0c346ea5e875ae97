"""The permissions for pages and actions, and the absence of forms that change rows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib.auth.models import User
from django.db import connection, models
from django.forms.models import model_to_dict
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_messente_dlr import accounts
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import Account, DeliveryReport, MessageStatistics, SmsMessage
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import MODELS, act, add_url, html, list_url, page_url

pytestmark = pytest.mark.django_db

ALL = [f"{verb}_{model.__name__.lower()}" for verb in ("add", "change", "delete", "view") for model in MODELS]


@pytest.fixture
def rows() -> list[models.Model]:
    return [SmsMessageFactory.create(), DeliveryReportFactory.create(), AccountFactory.create(held=True)]


@pytest.fixture
def strict_superuser(admin_user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    return client


def html_of(response: HttpResponse) -> str:
    return response.content.decode()


def content(row: models.Model) -> dict[str, Any]:
    return model_to_dict(type(row)._default_manager.get(pk=row.pk))


def test_pages__anonymous_user(client: Client, rows: list[models.Model]) -> None:
    for row in rows:
        for url in (list_url(type(row)), page_url(row), page_url(row, "history")):
            response = client.get(url)
            assert response.status_code == 302
            assert "/login/?next=/admin/" in response["Location"]


def test_pages__staff_without_permission(staff: Staff, rows: list[models.Model]) -> None:
    client = staff()
    for row in rows:
        for url in (list_url(type(row)), page_url(row), page_url(row, "history")):
            assert client.get(url).status_code == 403
    assert "Messente" not in html(client, reverse("admin:index"))


def test_list__counts_nothing_without_permission(staff: Staff, rows: list[models.Model]) -> None:
    client = staff()
    for row in rows:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(list_url(type(row))).status_code == 403
        assert [query["sql"] for query in queries if "messente_dlr" in query["sql"]] == []


@pytest.mark.parametrize("verb", ["view", "change"])
def test_pages__permission_of_one_model(staff: Staff, rows: list[models.Model], verb: str) -> None:
    for row in rows:
        client = staff(f"{verb}_{type(row).__name__.lower()}")
        for other in rows:
            expected = 200 if other is row else 403
            assert client.get(list_url(type(other))).status_code == expected
            assert client.get(page_url(other)).status_code == expected


@pytest.mark.parametrize("model", [*MODELS, MessageStatistics])
def test_pages__links_respect_permissions(staff: Staff, rows: list[models.Model], model: type[models.Model]) -> None:
    SmsMessageFactory.create(status="failed", err=1)
    statistics.update_statistics()
    client = staff(f"view_{model.__name__.lower()}")
    pages = [list_url(model), *(page_url(row) for row in rows if type(row) is model)]
    urls = {urljoin(page, link) for page in pages for link in re.findall(r'href="([^"]*)"', html(client, page))}
    links = {link.replace("&amp;", "&") for link in urls if link.startswith("/admin/django_messente_dlr/")}
    assert links
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_pages__superuser_has_all_links(admin_client: Client, rows: list[models.Model]) -> None:
    DeliveryReportFactory.create(message=None)  # the overview has no links to empty lists
    shown = html(admin_client, list_url(MessageStatistics))
    assert {url for url in map(list_url, MODELS[:2]) if f'href="{url}?' in shown} == set(map(list_url, MODELS[:2]))
    assert shown.count(f'href="{page_url(rows[2])}"') == 2  # in the banner and in the table of accounts
    assert f'href="{page_url(rows[0])}"' not in shown
    assert 'href="' + page_url(rows[1].message) in html(admin_client, page_url(rows[1]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("everyone", ["superuser", "staff"])
def test_pages__read_only(staff: Staff, admin_client: Client, rows: list[models.Model], everyone: str) -> None:
    client = admin_client if everyone == "superuser" else staff(*ALL)
    for row in rows:
        before, count = content(row), type(row)._default_manager.count()
        for url in (add_url(type(row)), page_url(row), page_url(row, "delete")):
            assert client.post(url, {"status": "delivered", "name": "other", "post": "yes"}).status_code == 403
        act(client, "delete_selected", row, post="yes")
        assert content(row) == before
        assert type(row)._default_manager.count() == count
        page = html(client, page_url(row))
        assert 'name="_save"' not in page
        assert "deletelink" not in page
        assert "delete_selected" not in html(client, list_url(type(row)))


@pytest.mark.parametrize(
    ("permissions", "may"), [([], False), (["view"], False), (["add", "delete", "view"], False), (["change"], True)]
)
def test_send_signals_again__permission(
    staff: Staff, dlr_signals: SignalLog, permissions: list[str], may: bool
) -> None:
    client = staff(*(f"{verb}_deliveryreport" for verb in permissions), "change_smsmessage", "change_account")
    report = DeliveryReportFactory.create()
    act(client, "send_signals_again", report)
    assert dlr_signals.names == (["dlr_received"] if may else [])
    if permissions:
        assert ("send_signals_again" in html(client, list_url(DeliveryReport)).partition("<select")[2]) is may


@pytest.mark.parametrize(
    ("permissions", "may"), [([], False), (["view"], False), (["add", "delete", "view"], False), (["change"], True)]
)
def test_lift_credit_hold__permission(staff: Staff, permissions: list[str], may: bool) -> None:
    client = staff(*(f"{verb}_account" for verb in permissions), "change_smsmessage", "change_deliveryreport")
    account = AccountFactory.create(held=True)
    act(client, "lift_credit_hold", account)
    assert accounts.is_held("default") is not may
    if permissions:
        assert ("lift_credit_hold" in html(client, list_url(Account)).partition("<select")[2]) is may


def test_actions__csrf_token_required(strict_superuser: Client, dlr_signals: SignalLog) -> None:
    account = AccountFactory.create(held=True)
    assert act(strict_superuser, "lift_credit_hold", account).status_code == 403
    assert act(strict_superuser, "send_signals_again", DeliveryReportFactory.create()).status_code == 403
    assert accounts.is_held("default")
    assert dlr_signals == []


@pytest.mark.parametrize(
    ("codenames", "actions"),
    [
        ([], []),
        (["change_smsmessage"], ["poll_now"]),
        (["resend_smsmessage"], ["resend"]),
        (["export_smsmessage"], ["export"]),
        (["cancel_smsmessage"], ["cancel"]),
        (["erase_recipient"], ["erase"]),
        (["add_smsmessage", "delete_smsmessage", "view_recipient", "view_text"], []),
    ],
)
def test_message_actions__permissions(staff: Staff, codenames: list[str], actions: list[str]) -> None:
    message = SmsMessageFactory.create(status="failed", text="Your parcel is here", queued=True)
    client = staff("view_smsmessage", *codenames)
    page = html(client, list_url(SmsMessage)).partition('<select name="action"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="(\w+)"', page) == actions
    for action in {"poll_now", "resend", "cancel", "export", "erase"} - set(actions):
        response = act(client, action, message)
        assert "Content-Disposition" not in response
        assert "Poll results" not in html_of(response)
        assert "Send again?" not in html_of(response)
        assert "Cancel messages?" not in html_of(response)
        assert "Erase recipients?" not in html_of(response)
