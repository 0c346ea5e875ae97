from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.admin.search import search_reports
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, list_url, listed, page_url, search

pytestmark = pytest.mark.django_db

# Session, user, count, the rows, four counts for the quick filters, the accounts on hold.
QUERIES = 9


def test_report_list__columns(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(
        stat="REJECTD", status=Status.REJECTED, err=7, times_received=6, source="poll"
    )
    page = html(admin_client, list_url(DeliveryReport))
    for text in ("REJECTD", "Sender name not allowed", "Status changed", "Poll ×6", page_url(report)):
        assert text in page
    assert page_url(report.message) in page


def test_report_list__source_on_narrow_screens(admin_client: Client) -> None:
    DeliveryReportFactory.create(source="poll", times_received=2)
    page = html(admin_client, list_url(DeliveryReport))
    assert 'Status changed <span class="messente-dlr-under messente-dlr-narrow">Poll ×2</span>' in page


def test_report_list__report_without_id(admin_client: Client) -> None:
    message = SmsMessageFactory.create(queued=True)
    DeliveryReportFactory.create(message=message)
    page = html(admin_client, list_url(DeliveryReport))
    assert page_url(message) in page
    assert f">#{message.pk}</span>" in page


@pytest.mark.parametrize("sms_unique_id", ["abc123", ""])
def test_report_pages__orphan_has_no_link(admin_client: Client, sms_unique_id: str) -> None:
    orphan = DeliveryReportFactory.create(message=None, sms_unique_id=sms_unique_id)
    for url in (list_url(DeliveryReport), page_url(orphan)):
        page = html(admin_client, url)
        assert (sms_unique_id or "DELIVRD") in page
        assert "/smsmessage/" not in page.partition('id="content-main"')[2]


@pytest.mark.parametrize("count", [1, 40])
def test_report_list__query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    DeliveryReportFactory.create_batch(count)
    with django_assert_num_queries(QUERIES):
        assert len(listed(admin_client, DeliveryReport)) == count


class TestFilters:
    def test_quick_filters__orphans(self, admin_client: Client) -> None:
        DeliveryReportFactory.create()
        orphan = DeliveryReportFactory.create(message=None)
        assert '"?outcome=orphan"' in html(admin_client, list_url(DeliveryReport))
        assert listed(admin_client, DeliveryReport, outcome="orphan") == [orphan]

    @pytest.mark.parametrize("outcome", ["advanced", "enriched", "stale", "unreadable"])
    def test_outcome_filter__outcomes(self, admin_client: Client, outcome: str) -> None:
        for other in ReportOutcome:
            DeliveryReportFactory.create(outcome=other)
        assert [report.outcome for report in listed(admin_client, DeliveryReport, outcome=outcome)] == [outcome]

    @pytest.mark.parametrize(
        ("state", "words"), [("sent", "Sent"), ("waiting", "Waiting"), ("failed", "A receiver failed")]
    )
    def test_dispatch_filter__states(self, admin_client: Client, state: str, words: str) -> None:
        now = timezone.now()
        reports = {
            "sent": [DeliveryReportFactory.create()],
            "waiting": [
                DeliveryReportFactory.create(dispatched_at=None, dispatch_due_at=now),
                # A former orphan whose receiver failed. Its message exists now, so its signals are due again.
                DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError", dispatch_due_at=now),
            ],
            "failed": [DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError")],
        }
        assert listed(admin_client, DeliveryReport, signals=state) == reports[state][::-1]
        page = html(admin_client, f"{list_url(DeliveryReport)}?signals={state}").partition('id="result_list"')[2]
        assert page.count('<span class="messente-dlr-badge') == len(reports[state])
        assert page.count(f">{words}</span>") == len(reports[state])

    @pytest.mark.parametrize("query", ["outcome=lost", "signals=gone", "outcome=", "signals="])
    def test_report_filters__invalid_value(self, admin_client: Client, query: str) -> None:
        response = admin_client.get(f"{list_url(DeliveryReport)}?{query}")
        assert response.status_code == 302
        assert response["Location"].endswith("?e=1")


class TestSearch:
    @pytest.fixture(autouse=True)
    def _other_rows(self) -> None:
        DeliveryReportFactory.create_batch(3)
        DeliveryReportFactory.create(message=None)

    def test_search__message_id_in_report(self, admin_client: Client) -> None:
        orphan = DeliveryReportFactory.create(message=None, sms_unique_id="abc123")
        assert search(admin_client, DeliveryReport, " abc123 ") == [orphan]
        assert search(admin_client, DeliveryReport, "abc12") == []

    def test_search__id_of_message(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(sms_unique_id="abc123", omnimessage_id="whole-1")
        reports = [
            DeliveryReportFactory.create(message=message, sms_unique_id=sms_unique_id)
            for sms_unique_id in ("", "abc123")
        ]
        assert search(admin_client, DeliveryReport, "abc123") == reports[::-1]
        assert search(admin_client, DeliveryReport, "whole-1") == reports[::-1]

    def test_search__omnimessage_id_and_primary_key(self, admin_client: Client) -> None:
        orphan = DeliveryReportFactory.create(message=None, sms_unique_id="", omnimessage_id="whole-1")
        without_id = DeliveryReportFactory.create(message=SmsMessageFactory.create(queued=True), sms_unique_id="")
        assert search(admin_client, DeliveryReport, "whole-1") == [orphan]
        assert search(admin_client, DeliveryReport, f"#{without_id.message_id}") == [without_id]

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's EXPLAIN output")
    def test_search__uses_index(self) -> None:
        message = SmsMessageFactory.create(sms_unique_id="abc123")
        DeliveryReportFactory.create(message=message)
        with CaptureQueriesContext(connection) as context:
            list(search_reports(DeliveryReport.objects.order_by("-pk"), "abc123"))
        for query in context.captured_queries:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                assert "SCAN" not in str(cursor.fetchall())
        assert SmsMessage.objects.count() > 1


def test_report_page__fields(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(
        stat="REJECTD",
        status=Status.REJECTED,
        previous=Status.SENT,
        err=7,
        payload={"err": "007", "more": ["õ", 1], "stat": "REJECTD"},  # the order in which PostgreSQL returns the keys
        signals=["dlr_received", "dlr_failed", "sender_not_allowed"],
        dispatch_error="shop.on_failure: KeyError: 'order'\nshop.audit: ValueError: no",
    )
    page = html(admin_client, page_url(report))
    for text in (
        "REJECTD, err 7: The message was rejected.",
        "Sender name not allowed",
        ">Rejected</span>",
        ">Sent</span>",
        "dlr_received, dlr_failed, sender_not_allowed",
        "KeyError: &#x27;order&#x27;\nshop.audit: ValueError: no</pre>",
        "&quot;err&quot;: &quot;007&quot;,\n  &quot;more&quot;: [\n    &quot;õ&quot;,\n    1\n  ],\n",
    ):
        assert text in page


@pytest.mark.parametrize(("err", "words"), [(10, "Seen by the recipient"), (42, "err 42")])
def test_report_page__error_code_meaning(admin_client: Client, err: int, words: str) -> None:
    page = html(admin_client, page_url(DeliveryReportFactory.create(stat="SEEN", err=err)))
    assert words in page.partition("field-cause")[2].partition('class="form-row')[0]


def test_report_page__no_empty_fields(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(
        message=None, sms_unique_id="", stat="", status="", payload={}, signals=[], dispatched_at=None
    )
    page = html(admin_client, page_url(report)).partition('id="content-main"')[2]
    assert "field-received_at" in page
    assert not re.search(r'class="readonly">\s*(?:–\s*)?</div>', page)
    for heading in ("Verified by", "Raw report"):
        assert heading not in page


def test_report_page__empty_report(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(
        message=None, sms_unique_id="", stat="", status="", payload={}, signals=[], dispatched_at=None
    )
    assert "<pre" not in html(admin_client, page_url(report))
