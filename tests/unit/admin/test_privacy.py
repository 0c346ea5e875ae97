"""Every page masks recipients and texts for users without the permission."""

from __future__ import annotations

import pytest
from django.db import models
from django.test import Client

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, html, list_url, page_url, search

pytestmark = pytest.mark.django_db

NUMBER = "+37255500001"
MASKED = "+372•••••001"
TEXT = "Your code is 1234"
MAY = ("view_smsmessage", "view_deliveryreport", "change_smsmessage", "resend_smsmessage")


@pytest.fixture
def rows() -> list[models.Model]:
    message = SmsMessageFactory.create(
        recipient=NUMBER,
        text=TEXT,
        status=Status.FAILED,
        error_text=f"{NUMBER} is no number",
        metadata={"phone": NUMBER, "order": 17},
    )
    report = DeliveryReportFactory.create(
        message=message, payload={"to": NUMBER, "err": 0}, dispatch_error=f"shop.on_dlr: KeyError: '{NUMBER}'"
    )
    orphan = DeliveryReportFactory.create(message=None, payload={"to": NUMBER})
    return [message, report, orphan]


def pages(client: Client, rows: list[models.Model]) -> list[str]:
    contents = [html(client, list_url(model)) for model in (SmsMessage, DeliveryReport)]
    contents += [html(client, page_url(row)) for row in rows]
    for action in ("poll_now", "resend"):
        response = act(client, action, rows[0])
        assert response.status_code == 200
        contents.append(response.content.decode())
    return contents


def test_pages__mask_without_permissions(staff: Staff, rows: list[models.Model]) -> None:
    shown = pages(staff(*MAY), rows)
    for page in shown:
        assert "55500001" not in page
        assert "1234" not in page
    listed, _, of_message, of_report, of_orphan, polled, confirmation = shown
    for page in (listed, of_message, of_report, of_orphan, polled, confirmation):
        assert MASKED in page
    assert "•••••</pre>" in of_message
    assert "&quot;order&quot;: 17" in of_message


def test_pages__show_with_permissions(staff: Staff, rows: list[models.Model]) -> None:
    listed, _, of_message, of_report, of_orphan, *_ = pages(staff(*MAY, "view_recipient", "view_text"), rows)
    for page in (listed, of_message, of_report, of_orphan):
        assert NUMBER in page
        assert "•" not in page
    assert TEXT in of_message


@pytest.mark.parametrize(
    ("codename", "number", "text"), [("view_recipient", True, False), ("view_text", False, True)]
)
def test_message_page__recipient_and_text_permissions(
    staff: Staff, rows: list[models.Model], codename: str, *, number: bool, text: bool
) -> None:
    page = html(staff("view_smsmessage", codename), page_url(rows[0]))
    assert (NUMBER in page) is number
    assert (TEXT in page) is text


def test_search__full_number_without_permission(staff: Staff, rows: list[models.Model]) -> None:
    assert search(staff("view_smsmessage"), SmsMessage, NUMBER) == rows[:1]
