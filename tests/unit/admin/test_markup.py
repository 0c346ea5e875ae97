"""Stored data is escaped, and the markup has no inline style and no script."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles import finders
from django.db import models
from django.test import Client

from django_messente_dlr import signals
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.forms import Forms
from tests.unit.admin.pages import MODELS, act, html, list_url, page_url

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"
ATTRIBUTE = '"><img src=x onerror=alert(1)>'
STYLESHEET = "django_messente_dlr/admin.css"


def spoil(row: models.Model, evil: str) -> None:
    """Set every text column of a row to ``evil``, without validation."""
    texts = [
        field
        for field in row._meta.get_fields()
        if isinstance(field, models.CharField | models.TextField) and not field.choices
    ]
    for field in texts:
        setattr(row, field.name, evil[: field.max_length])
    row.save(update_fields=[field.name for field in texts])


@pytest.fixture(params=[EVIL, ATTRIBUTE])
def evil(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rows(evil: str) -> list[models.Model]:
    message = SmsMessageFactory.create(metadata={evil: [evil]})
    report = DeliveryReportFactory.create(message=message, payload={evil: evil}, signals=[evil])
    rows = [message, report, AccountFactory.create(held=True)]
    for row in rows:
        spoil(row, evil)
    return rows


def test_pages__escape_stored_markup(admin_client: Client, rows: list[models.Model], evil: str) -> None:
    for row in rows:
        for url in (list_url(type(row)), page_url(row)):
            page = html(admin_client, url)
            assert evil not in page
            assert "<img src=x" not in page
            assert "&lt;script&gt;" in page or "&lt;img" in page


def test_lists__escape_search_term(admin_client: Client, evil: str) -> None:
    for model in (SmsMessage, DeliveryReport):
        assert evil not in html(admin_client, f"{list_url(model)}?q={evil}")


def test_actions__escape_markup_in_results(admin_client: Client, rows: list[models.Model], evil: str) -> None:
    def on_dlr(**kwargs: object) -> None:
        raise ValueError(evil)

    _, report, account = rows
    DeliveryReport.objects.filter(pk=report.pk).update(signals=["dlr_received"])
    signals.dlr_received.connect(on_dlr)
    try:
        act(admin_client, "send_signals_again", report)
    finally:
        signals.dlr_received.disconnect(on_dlr)
    page = html(admin_client, list_url(DeliveryReport))
    assert "A receiver failed for 1 report: " in page
    assert evil not in page
    act(admin_client, "lift_credit_hold", account)
    page = html(admin_client, list_url(Account))
    assert "The credit hold of “&" in page or "The credit hold of “&quot;" in page
    assert evil not in page
    for row in (report, account):
        assert evil not in html(admin_client, page_url(row, "history"))


def test_pages__no_inline_style_or_script(admin_client: Client) -> None:
    for row in (
        SmsMessageFactory.create(metadata={"order": 17}),
        DeliveryReportFactory.create(dispatch_error="Oh."),
        AccountFactory.create(),
    ):
        for url in (list_url(type(row)), page_url(row)):
            page = html(admin_client, url)
            assert not re.search(r"\son[a-z]+\s*=", page)
            assert "<style" not in page
            assert not re.search(r"\sstyle\s*=", page)
            assert not re.search(r"<script(?![^>]*\b(?:src|type=\"application/json\"))", page)


def test_pages__link_the_stylesheet(admin_client: Client) -> None:
    for model in MODELS:
        assert STYLESHEET in html(admin_client, list_url(model))
    assert STYLESHEET in html(admin_client, page_url(SmsMessageFactory.create()))
    path = finders.find(STYLESHEET)
    assert isinstance(path, str)


def test_stylesheet__colours_are_variables() -> None:
    path = finders.find(STYLESHEET)
    assert isinstance(path, str)
    with open(path) as file:  # noqa: PTH123
        css = file.read()
    # Other colours are variables of the app, with one value for each mode.
    css = re.sub(r"--messente-dlr-[\w-]+: [^;]+;", "", css)
    colours = re.findall(r"(?:color|background|fill|stroke): ?([^;]+);", css)
    assert colours
    assert all("var(--" in colour or colour == "none" for colour in colours)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", css)


def test_pages__buttons_have_forms_of_their_own(admin_client: Client) -> None:
    message = SmsMessageFactory.create(status="failed", err=1, text="Your parcel is here")
    report = DeliveryReportFactory.create(message=message, dispatch_error="Oh.")
    buttons = {
        message: {"resend": "messente-dlr-act", str(report.pk): "messente-dlr-signals"},
        report: {"send_signals_again": "messente-dlr-act"},
        AccountFactory.create(held=True): dict.fromkeys(["check_balance", "lift_credit_hold"], "messente-dlr-act"),
    }
    for row, expected in buttons.items():
        forms = Forms(html(admin_client, page_url(row)))
        assert forms.nested == []
        assert forms.buttons == expected
        for name in expected.values():
            assert {"csrfmiddlewaretoken", "index"} <= set(forms.inputs[name])
