from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import html, page_url

pytestmark = pytest.mark.django_db

# Session, user, the message, its reports, and the accounts that are on hold.
QUERIES = 6


def fields(page: str) -> dict[str, str]:
    """Return the text of each read-only field of a page by name, without markup."""
    matches = re.findall(
        r'<div class="form-row[^"]* field-(\w+)">.*?<div class="readonly">(.*?)</div>', page, flags=re.DOTALL
    )
    return {name: re.sub(r"<[^>]*>", "", text).strip() for name, text in matches}


def answer(page: str) -> str:
    """Return the text of the summary at the top of the page, without markup."""
    markup = page.partition('class="messente-dlr-answer')[2].partition("<section")[0].partition(">")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


@pytest.mark.parametrize("cause", [cause for cause in ErrorCode if cause])
def test_message_page__cause_and_advice(admin_client: Client, cause: ErrorCode) -> None:
    message = SmsMessageFactory.create(status=Status.FAILED, stat="FAILED", err=cause.value, error_text="No way.")
    page = html(admin_client, page_url(message))
    assert answer(page).startswith("Failed The message did not reach its recipient.")
    assert f"Cause: {cause.meaning}" in answer(page)
    assert f"What to do: {cause.advice}".replace("'", "&#x27;") in answer(page)
    shown = fields(page)
    assert shown["error"] == "No way."
    assert shown["reported"] == f"FAILED, err {cause.value}: Delivery failed."


def test_message_page__error_text_as_cause(admin_client: Client) -> None:
    message = SmsMessageFactory.create(status=Status.REJECTED, err=None, error_text="The sender is not activated.")
    assert "Cause: The sender is not activated." in answer(html(admin_client, page_url(message)))


@pytest.mark.parametrize("status", Status)
def test_message_page__sentence_per_status(admin_client: Client, status: Status) -> None:
    message = SmsMessageFactory.create(status=status, err=None)
    assert re.match(rf"{status.label} .+\.", answer(html(admin_client, page_url(message))))


@pytest.mark.parametrize(
    ("stat", "err", "words"),
    [("", None, "–"), ("MARTIAN", None, "MARTIAN"), ("", 42, "err 42"), ("ACK", 0, "ACK, err 0: Acknowledged; ")],
)
def test_message_page__unknown_codes(admin_client: Client, stat: str, err: int | None, words: str) -> None:
    message = SmsMessageFactory.create(stat=stat, err=err)
    assert fields(html(admin_client, page_url(message))).get("reported", "–").startswith(words)


def test_message_page__fields(admin_client: Client) -> None:
    message = SmsMessageFactory.create(
        sms_unique_id="abc123",
        omnimessage_id="whole-1",
        text="Your parcel is here",
        channel="viber",
        parts=2,
        price=Decimal("0.045000"),
        metadata={"name": "Jüri", "order": 17},
        poll_count=3,
    )
    page = html(admin_client, page_url(message))
    shown = fields(page)
    assert shown["sms_unique_id"] == "abc123"
    assert shown["omnimessage_id"] == "whole-1"
    assert shown["masked_text"] == "Your parcel is here"
    assert shown["channel"] == "viber"
    assert shown["parts"] == "2"
    assert shown["price_paid"] == "0.045"
    assert shown["metadata_lines"] == "{\n  &quot;name&quot;: &quot;Jüri&quot;,\n  &quot;order&quot;: 17\n}"
    assert "Polled 3 times so far." in page


@pytest.mark.parametrize(("price", "words"), [("1", "1.00"), ("0.2", "0.20"), ("0.000001", "0.000001"), (None, "–")])
def test_message_page__price_format(admin_client: Client, price: str | None, words: str) -> None:
    message = SmsMessageFactory.create(price=price and Decimal(price))
    # The page omits a price that is not known.
    assert fields(html(admin_client, page_url(message))).get("price_paid", "–") == words


def test_message_page__reports_in_order(admin_client: Client) -> None:
    message = SmsMessageFactory.create(status=Status.REJECTED, err=7)
    now = timezone.now()
    late = DeliveryReportFactory.create(message=message, stat="REJECTD", err=7, received_at=now, times_received=6)
    early = DeliveryReportFactory.create(
        message=message, stat="ACCEPTD", source="poll", received_at=now - timedelta(hours=1), dispatch_error="Oh."
    )
    other = DeliveryReportFactory.create()
    page = html(admin_client, page_url(message))
    assert page.index(page_url(early)) < page.index(page_url(late))
    assert page_url(other) not in page
    for text in (
        "ACCEPTD",
        "Poll",
        "A receiver failed",
        "REJECTD",
        "Sender name not allowed",
        "Received 5 more times",
    ):
        assert text in page


def test_message_page__undispatched_report(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(dispatched_at=None, dispatch_due_at=timezone.now())
    assert ">Waiting</span>" in html(admin_client, page_url(report.message))


@pytest.mark.parametrize("count", [1, 20])
def test_message_page__query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    message = SmsMessageFactory.create()
    DeliveryReportFactory.create_batch(count, message=message)
    html(admin_client, page_url(message))  # the first request also queries the content type
    with django_assert_num_queries(QUERIES):
        html(admin_client, page_url(message))


def test_message_page__reports_need_permission(staff: Staff) -> None:
    report = DeliveryReportFactory.create()
    assert page_url(report) not in html(staff("view_smsmessage"), page_url(report.message))
    assert page_url(report) in html(staff("view_smsmessage", "view_deliveryreport"), page_url(report.message))


def test_pages__hide_callback_token(admin_client: Client) -> None:
    message = SmsMessageFactory.create(queued=True)
    report = DeliveryReportFactory.create(
        message=None, token_message_id=message.pk, token_created_at=message.created_at
    )
    token = message.callback_url.rstrip("/").rpartition("/")[2]
    for page in (page_url(message), page_url(report)):
        content = html(admin_client, page)
        assert token not in content
        assert token.rpartition(".")[2] not in content


def test_message_page__no_form_fields(admin_client: Client) -> None:
    report = DeliveryReportFactory.create()
    page = html(admin_client, page_url(report.message))
    form = page[page.index('id="smsmessage_form"') :]
    assert set(re.findall(r'<input type="(\w+)"', form)) <= {"hidden"}
    assert "<textarea" not in form
    assert "<select" not in form
    assert DeliveryReport.objects.count() == 1
