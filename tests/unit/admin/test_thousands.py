"""With USE_THOUSAND_SEPARATOR, pages show 1,234, and the forms of the admin still contain 1234."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import models
from django.test import Client

from django_messente_dlr.models import DeliveryReport, MessageStatistics, SmsMessage, querysets
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import act, html, list_url, page_url

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _separated(settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True


def test_buttons__primary_keys_without_separator(admin_client: Client) -> None:
    failed = SmsMessageFactory.create(pk=1234, status=Status.FAILED, text="Your code is 1234")
    waiting = SmsMessageFactory.create(pk=1235)
    report = DeliveryReportFactory.create(pk=1236, message=waiting, dispatch_error="Oh.")
    account = AccountFactory.create(held=True)
    rows: list[tuple[models.Model, list[models.Model]]] = [
        (failed, [failed]),
        (waiting, [report, waiting]),
        (report, [report]),
        (account, [account]),
    ]
    for row, selected_rows in rows:
        selected = re.findall(r'name="_selected_action" value="(.*?)"', html(admin_client, page_url(row)))
        assert sorted(selected) == sorted(str(each.pk) for each in selected_rows)
    confirmation = act(admin_client, "resend", failed).content.decode()
    assert 'name="_selected_action" value="1234"' in confirmation


def test_pages__capped_count_without_separator(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    count = querysets.CappedCount(1000)
    count.is_capped = True
    for module in ("changelist", "quick_filters", "warnings"):
        monkeypatch.setattr(f"django_messente_dlr.admin.{module}.capped_count", lambda *_args, **_options: count)
    SmsMessageFactory.create()
    messages, reports = html(admin_client, list_url(SmsMessage)), html(admin_client, list_url(DeliveryReport))
    assert "1000+ SMS messages" in messages
    assert "Select all 1000+ SMS messages" in messages
    for page in (messages, reports, html(admin_client, list_url(MessageStatistics))):
        assert "1000+" in page
        assert "10,00+" not in page
