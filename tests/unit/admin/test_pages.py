"""The keyset pages of the lists, their capped counts and the filters."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.admin import changelist
from django_messente_dlr.admin.messages import SmsMessageAdmin
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, list_url, listed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmsMessageAdmin, "list_per_page", 3)


def link(page: str, rel: str) -> str | None:
    match = re.search(rf'<a href="(\?[^"]*)" rel="{rel}"', page)
    return match[1].replace("&amp;", "&") if match else None


def numbers(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'name="_selected_action" value="(\d+)"', page)]


@pytest.mark.parametrize("query", ["", "status=sent", "age=day"])
def test_pagination__all_rows_forth_and_back(admin_client: Client, query: str) -> None:
    now = timezone.now()
    # The order of age differs from the order of the primary keys, and three rows have the same age.
    rows = [
        SmsMessageFactory.create(created_at=now - timedelta(minutes=minutes)) for minutes in (5, 1, 1, 1, 4, 2, 3)
    ]
    SmsMessageFactory.create(status=Status.DELIVERED, created_at=now - timedelta(days=2))
    expected = list(SmsMessage.objects.filter(status="sent").order_by(*_order(query)).values_list("pk", flat=True))
    if not query:
        expected.insert(0, SmsMessage.objects.latest("pk").pk)
    url = f"{list_url(SmsMessage)}?{query}"
    forth: list[int] = []
    back: list[int] = []
    pages = [html(admin_client, url)]
    assert link(pages[0], "prev") is None
    while older := link(pages[-1], "next"):
        pages.append(html(admin_client, list_url(SmsMessage) + older))
    for page in pages:
        forth += numbers(page)
    assert forth == expected
    assert len(forth) >= len(rows)
    page = pages[-1]
    while newer := link(page, "prev"):
        page = html(admin_client, list_url(SmsMessage) + newer)
        back = numbers(page) + back
    assert back + numbers(pages[-1]) == expected
    assert link(page, "next")


def _order(query: str) -> list[str]:
    return ["-created_at", "-pk"] if query == "age=day" else ["-pk"]


def test_pagination__single_page_has_no_links(admin_client: Client) -> None:
    SmsMessageFactory.create_batch(3)
    page = html(admin_client, list_url(SmsMessage))
    assert (link(page, "prev"), link(page, "next")) == (None, None)
    assert "3 SMS messages" in page


def test_pagination__count_is_capped(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelist, "CAP", 4)
    SmsMessageFactory.create_batch(6)
    page = html(admin_client, list_url(SmsMessage))
    assert "4+ SMS messages" in page
    assert "Select all 4+ SMS messages" in page


def test_pagination__filter_links_drop_cursor(admin_client: Client) -> None:
    rows = SmsMessageFactory.create_batch(4)
    page = html(admin_client, f"{list_url(SmsMessage)}?p=older-{rows[2].pk}")
    assert numbers(page) == [rows[1].pk, rows[0].pk]
    # A <nav> after the list or, since Django 6.1, a <search> before it.
    match = re.search(r'<(nav|search) id="changelist-filter".*?</\1>', page, re.DOTALL)
    filters = match[0] if match else ""
    assert "status" in filters
    assert "older-" not in filters
    assert "older-" not in page.partition('id="changelist-search"')[2].partition("</form>")[0]


@pytest.mark.parametrize(
    "cursor", ["x", "older-x", "older--1", "newer-1 OR 1=1", "older-" + "9" * 40, "older-٣", "٣", "-1"]
)
def test_pagination__malformed_cursor(admin_client: Client, cursor: str) -> None:
    response = admin_client.get(list_url(SmsMessage), {"p": cursor})
    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_pagination__cursor_row_pruned(admin_client: Client) -> None:
    message = SmsMessageFactory.create()
    message.delete()
    assert admin_client.get(list_url(SmsMessage), {"age": "day", "p": "older-1"}).status_code == 302


@pytest.mark.parametrize("column", range(8))
def test_message_list__ignores_sort_parameter(admin_client: Client, column: int) -> None:
    rows = [
        SmsMessageFactory.create(recipient=f"+3725550000{number}", account=f"account-{number}")
        for number in (2, 1, 3)
    ]
    assert listed(admin_client, SmsMessage, o=str(column)) == rows[::-1]
    assert listed(admin_client, SmsMessage, o=f"-{column}") == rows[::-1]


@pytest.mark.parametrize("column", range(8))
def test_report_list__ignores_sort_parameter(admin_client: Client, column: int) -> None:
    rows = [DeliveryReportFactory.create(outcome=outcome) for outcome in ("orphan", "advanced", "stale")]
    assert listed(admin_client, DeliveryReport, o=str(column)) == rows[::-1]
    assert listed(admin_client, DeliveryReport, o=f"-{column}") == rows[::-1]


def test_message_list__show_all_parameter(admin_client: Client) -> None:
    """The list never shows more rows than a page holds."""
    SmsMessageFactory.create_batch(4)
    assert len(listed(admin_client, SmsMessage, all="")) == 3


def test_paginator__numbered_page(admin_client: Client) -> None:
    """The admin links to no numbered page, but Django's autocomplete view requests them of this paginator."""
    rows = SmsMessageFactory.create_batch(4)
    page = html(admin_client, f"{list_url(SmsMessage)}?p=2")
    assert numbers(page) == [rows[0].pk]
    assert (link(page, "prev"), link(page, "next")) == (f"?p=newer-{rows[0].pk}", None)


def test_pagination__query_count_of_deep_page(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = SmsMessageFactory.create_batch(9)
    with django_assert_num_queries(8):
        listed(admin_client, SmsMessage, p=f"older-{rows[4].pk}")


class TestAge:
    @pytest.mark.parametrize(("age", "number"), [("hour", 1), ("day", 2), ("week", 3), ("month", 4)])
    def test_age_filter__choices(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch, age: str, number: int
    ) -> None:
        monkeypatch.setattr(SmsMessageAdmin, "list_per_page", 100)
        for hours in (0, 5, 50, 500, 5000):
            SmsMessageFactory.create(created_at=timezone.now() - timedelta(hours=hours))
        assert len(listed(admin_client, SmsMessage, age=age)) == number


class TestWaiting:
    def test_status_filter__pending(self, admin_client: Client) -> None:
        pending = [SmsMessageFactory.create(), SmsMessageFactory.create(queued=True)]
        SmsMessageFactory.create(status=Status.UNRESOLVED)
        assert listed(admin_client, SmsMessage, status="pending") == pending[::-1]

    def test_status_filter__overdue(self, admin_client: Client) -> None:
        now = timezone.now()
        overdue = SmsMessageFactory.create(next_poll_at=now - timedelta(minutes=11))
        SmsMessageFactory.create(next_poll_at=now - timedelta(minutes=1))
        assert listed(admin_client, SmsMessage, status="overdue") == [overdue]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's EXPLAIN output")
class TestPlans:
    @pytest.mark.parametrize(
        ("query", "index"),
        [
            ("status=unresolved", "messente_dlr_by_status"),
            ("status=overdue", "messente_dlr_due"),
            ("account=closed", "messente_dlr_by_account"),
            ("channel=viber", "messente_dlr_by_channel"),
            ("age=hour", "messente_dlr_created"),
            ("cause=7", "messente_dlr_by_"),
            ("q=%2B37255500001", "messente_dlr_recipient"),
        ],
    )
    def test_filters__use_index(self, admin_client: Client, query: str, index: str) -> None:
        SmsMessageFactory.create_batch(2)
        response = admin_client.get(f"{list_url(SmsMessage)}?{query}")
        rows = response.context["cl"].queryset
        for plan in (rows[:101].explain(), rows.order_by()[:1001].explain()):
            assert index in plan
            assert "SCAN" not in plan


@pytest.mark.parametrize("language", ["en", "et", "lv", "ru", "de", "fr"])
def test_menu__overview_first(admin_client: Client, settings: Any, language: str) -> None:
    settings.LANGUAGE_CODE = language
    names = re.findall(r'href="/admin/django_messente_dlr/(\w+)/"', html(admin_client, "/admin/"))
    assert names[0] == "messagestatistics"
    assert len(set(names)) == 4
