from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import html, page_url

pytestmark = pytest.mark.django_db

# Session, user, the message, its history, its reports, and the accounts that are on hold.
QUERIES = 7


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


def heading(page: str) -> str:
    return page.partition("<h1>")[2].partition("</h1>")[0]


def buttons(page: str) -> dict[str, bool]:
    """Return the buttons of the summary by action, and whether each is a primary button."""
    found = re.findall(
        r'<button type="submit" form="messente-dlr-act" class="([^"]*)" name="action" value="(\w+)"', page
    )
    return {action: "messente-dlr-secondary" not in classes for classes, action in found}


def test_message_page__recipient_in_heading(admin_client: Client, staff: Staff) -> None:
    message = SmsMessageFactory.create(recipient="+37255500001")
    assert heading(html(admin_client, page_url(message))) == "Message to +37255500001"
    assert heading(html(staff("view_smsmessage"), page_url(message))) == "Message to +372•••••001"
    assert heading(html(admin_client, page_url(SmsMessageFactory.create(recipient="")))) == "View SMS message"


@pytest.mark.parametrize("code", [code for code in ResponseCode if code.name not in {"NO_REPORT_YET"}])
def test_message_page__refused_by_response(admin_client: Client, code: ResponseCode) -> None:
    message = SmsMessageFactory.create(status=Status.REJECTED, queued=True, error_text=code.value)
    page = html(admin_client, page_url(message))
    assert f"Cause: {code.meaning}".replace("'", "&#x27;") in answer(page)
    assert f"What to do: {code.advice}".replace("'", "&#x27;") in answer(page)


def test_message_page__server_failure(admin_client: Client) -> None:
    error_text = 'Messente\'s server failed. https://api2.messente.com answered "FAILED 209".'
    message = SmsMessageFactory.create(status=Status.FAILED, queued=True, text="Hello", error_text=error_text)
    page = html(admin_client, page_url(message))
    assert f"Cause: {ResponseCode.SERVER_FAILURE.meaning}".replace("'", "&#x27;") in answer(page)
    assert f"What to do: {ResponseCode.SERVER_FAILURE.advice}" in answer(page)
    assert buttons(page) == {"resend": True}


@pytest.mark.parametrize("length", [100, 400])
def test_message_page__long_error_not_cut(admin_client: Client, length: int) -> None:
    error = f"Messente could not be reached: {'x' * length}, and this is the end."
    message = SmsMessageFactory.create(status=Status.FAILED, queued=True, error_text=error[:255])
    DeliveryReportFactory.create(message=message, source="send", stat="", payload={"answer": error})
    page = html(admin_client, page_url(message))
    assert f"Cause: {error}" in answer(page)
    assert "What to do: Messente did not accept the message." in answer(page)
    assert fields(page)["error"] == error


@pytest.mark.parametrize(
    ("status", "err", "primary"),
    [
        (Status.FAILED, 1, True),
        (Status.FAILED, 2, True),
        (Status.FAILED, None, True),
        (Status.FAILED, 3, False),
        (Status.FAILED, 42, False),
        (Status.REJECTED, 7, False),
        (Status.REJECTED, None, False),
        (Status.UNRESOLVED, None, False),
    ],
)
def test_message_page__resend_primary_where_it_helps(
    admin_client: Client, status: Status, err: int | None, primary: bool
) -> None:
    message = SmsMessageFactory.create(status=status, err=err, text="Your parcel is here")
    assert buttons(html(admin_client, page_url(message)))["resend"] is primary


def test_message_page__history_link_if_any(admin_client: Client, admin_user: User) -> None:
    message = SmsMessageFactory.create()
    assert page_url(message, "history") not in html(admin_client, page_url(message))
    LogEntry.objects.log_actions(admin_user.pk, [message], CHANGE, "Sent again.", single_object=True)
    assert page_url(message, "history") in html(admin_client, page_url(message))


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
