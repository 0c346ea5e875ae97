from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.admin.search import search_messages
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, list_url, listed, search

pytestmark = pytest.mark.django_db

# Session, user, count, the rows, their sources, the account names for the filter, whether the queue has messages, the
# accounts on hold.
QUERIES = 8


def row(admin_client: Client) -> str:
    """Return the markup of the only row of the list."""
    page = html(admin_client, list_url(SmsMessage))
    return page[page.index("<tbody>") : page.index("</tbody>")]


def test_message_list__columns(admin_client: Client) -> None:
    SmsMessageFactory.create(
        sms_unique_id="abc123",
        recipient="+37255500001",
        account="marketing",
        status=Status.REJECTED,
        err=7,
        sender="Parcels",
    )
    cells = row(admin_client)
    for text in ("abc123", "+37255500001", "Parcels", "Rejected", "Sender name not allowed", "marketing"):
        assert text in cells


@pytest.mark.parametrize("status", Status)
def test_message_list__status_badge(admin_client: Client, status: Status) -> None:
    SmsMessageFactory.create(status=status)
    assert f'">{status.label}</span>' in row(admin_client)


@pytest.mark.parametrize(
    ("err", "words"),
    [(3, "Invalid number"), (None, "No cause reported"), (0, "No cause reported"), (42, "Unknown cause (err 42)")],
)
def test_message_list__cause_of_failure(admin_client: Client, err: int | None, words: str) -> None:
    SmsMessageFactory.create(status=Status.FAILED, err=err)
    assert words in row(admin_client)


@pytest.mark.parametrize("err", [None, 0, 1, 10])
def test_message_list__no_cause_without_failure(admin_client: Client, err: int | None) -> None:
    SmsMessageFactory.create(status=Status.DELIVERED, err=err)
    assert '<td class="field-cause">–</td>' in row(admin_client)


def test_message_list__message_without_recipient_and_id(
    admin_client: Client,
) -> None:
    message = SmsMessageFactory.create(queued=True, recipient="")
    cells = row(admin_client)
    assert f"/smsmessage/{message.pk}/change/" in cells
    assert '<span aria-hidden="true">–</span>' in cells
    assert f'<span class="visually-hidden">#{message.pk}</span>' in cells


def test_message_list__omnimessage_id(admin_client: Client) -> None:
    SmsMessageFactory.create(sms_unique_id=None, omnimessage_id="whole-1")
    assert "whole-1" in row(admin_client)


def test_message_list__newest_first(admin_client: Client) -> None:
    first = SmsMessageFactory.create(created_at=timezone.now())
    second = SmsMessageFactory.create(created_at=timezone.now() - timedelta(days=1))
    assert listed(admin_client, SmsMessage) == [second, first]


@pytest.mark.parametrize("count", [1, 40])
def test_message_list__query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    SmsMessageFactory.create_batch(count, status=Status.FAILED, err=1)
    with django_assert_num_queries(QUERIES):
        assert len(listed(admin_client, SmsMessage)) == count


def test_message_list__search_query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    SmsMessageFactory.create_batch(3, recipient="+37255500001")
    with django_assert_num_queries(QUERIES):
        assert len(search(admin_client, SmsMessage, "+37255500001")) == 3


def test_message_list__no_sort_links(admin_client: Client) -> None:
    SmsMessageFactory.create_batch(2)
    assert "?o=" not in html(admin_client, list_url(SmsMessage))


class TestFilters:
    def test_status_filter__failed(self, admin_client: Client) -> None:
        SmsMessageFactory.create()
        failed = SmsMessageFactory.create(status=Status.FAILED)
        assert listed(admin_client, SmsMessage, status="failed") == [failed]

    def test_cause_filter__error_code(self, admin_client: Client) -> None:
        SmsMessageFactory.create(status=Status.REJECTED, err=6)
        SmsMessageFactory.create(status=Status.DELIVERED, err=7)
        refused = SmsMessageFactory.create(status=Status.REJECTED, err=7)
        assert listed(admin_client, SmsMessage, cause="7") == [refused]

    def test_cause_filter__unknown(self, admin_client: Client) -> None:
        SmsMessageFactory.create(status=Status.FAILED, err=1)
        SmsMessageFactory.create(status=Status.SENT)
        unknown = [SmsMessageFactory.create(status=Status.FAILED, err=err) for err in (None, 0, 42)]
        assert listed(admin_client, SmsMessage, cause="unknown") == unknown[::-1]

    def test_cause_filter__choices(self, admin_client: Client) -> None:
        page = html(admin_client, list_url(SmsMessage))
        for cause in ErrorCode:
            assert (f"?cause={cause.value}" in page) is (cause not in {ErrorCode.NO_ERROR, ErrorCode.SEEN})

    @pytest.mark.parametrize("nonsense", ["seven", "", "10", "-1", "7 or 1=1"])
    def test_cause_filter__invalid_value(self, admin_client: Client, nonsense: str) -> None:
        response = admin_client.get(list_url(SmsMessage), {"cause": nonsense})
        assert response.status_code == 302
        assert response["Location"].endswith("?e=1")

    def test_account_filter__configured_and_stored_accounts(self, admin_client: Client) -> None:
        AccountFactory.create(name="closed")
        SmsMessageFactory.create()
        old = SmsMessageFactory.create(account="closed")
        page = html(admin_client, list_url(SmsMessage))
        for name in ("default", "marketing", "closed"):
            assert f'"?account={name}"' in page
        assert listed(admin_client, SmsMessage, account="closed") == [old]

    def test_account_filter__single_account(self, admin_client: Client, settings: Any) -> None:
        settings.MESSENTE_DLR = {"USERNAME": "shop", "PASSWORD": "a-password"}
        message = SmsMessageFactory.create()
        assert "?account=" not in html(admin_client, list_url(SmsMessage))
        assert listed(admin_client, SmsMessage, account="default") == [message]
        assert "?account=default" in html(admin_client, f"{list_url(SmsMessage)}?account=default")

    @pytest.mark.parametrize("channel", ["viber", "whatsapp", "rcs", "telegram"])
    def test_channel_filter__other_channels(self, admin_client: Client, channel: str) -> None:
        SmsMessageFactory.create()
        message = SmsMessageFactory.create(channel=channel)
        assert f'"?channel={channel}"' in html(admin_client, list_url(SmsMessage))
        assert listed(admin_client, SmsMessage, channel=channel) == [message]

    def test_filters__no_facets(self, admin_client: Client) -> None:
        assert "_facets" not in html(admin_client, list_url(SmsMessage))


class TestSearch:
    @pytest.fixture(autouse=True)
    def _others(self) -> None:
        SmsMessageFactory.create_batch(3)
        SmsMessageFactory.create(queued=True)

    @pytest.mark.parametrize("term", ["abc123", " abc123\n"])
    def test_search__message_id(self, admin_client: Client, term: str) -> None:
        message = SmsMessageFactory.create(sms_unique_id="abc123")
        assert search(admin_client, SmsMessage, term) == [message]

    def test_search__omnimessage_id(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(omnimessage_id="22222222-2222-4222-8222-222222222222")
        assert search(admin_client, SmsMessage, "22222222-2222-4222-8222-222222222222") == [message]

    def test_search__id_with_spaces(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(sms_unique_id="an id 1")
        assert search(admin_client, SmsMessage, "an id 1") == [message]

    @pytest.mark.parametrize("stored", ["+37255500009", "37255500009", "0037255500009"])
    @pytest.mark.parametrize(
        "typed",
        [
            "+37255500009",
            "37255500009",
            "0037255500009",
            "+372 5550 0009",
            "00 372 5550-0009",
            "(+372) 5550.0009",
            "\u202a+372\u00a05550\u20110009\u202c",
        ],
    )
    def test_search__phone_number_spellings(self, admin_client: Client, stored: str, typed: str) -> None:
        message = SmsMessageFactory.create(recipient=stored)
        assert search(admin_client, SmsMessage, typed) == [message]

    def test_search__primary_key(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(queued=True)
        assert search(admin_client, SmsMessage, str(message)) == [message]

    @pytest.mark.parametrize("term", ["abc12", "ABC12%", "+3725550000", "#", "#0", "'", "a\0b", "–", "9" * 5000])
    def test_search__no_match(self, admin_client: Client, term: str) -> None:
        SmsMessageFactory.create(sms_unique_id="abc123", recipient="+37255500009")
        if "\0" in term:  # Django's search form rejects it
            assert "Null characters are not allowed." in html(admin_client, f"{list_url(SmsMessage)}?q=a%00b")
        else:
            assert search(admin_client, SmsMessage, term) == []

    def test_search__only_spaces(self, admin_client: Client) -> None:
        assert len(search(admin_client, SmsMessage, "  ")) == SmsMessage.objects.count()

    @pytest.mark.parametrize("term", ["abc123", "+372 5550 0009", "#17"])
    @pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's EXPLAIN output")
    def test_search__uses_index(self, term: str) -> None:
        plan = search_messages(SmsMessage.objects.order_by("-pk"), term).explain()
        assert "SCAN" not in plan
        assert "messente_dlr_recipient" in plan or "abc" in term or "#" in term


@pytest.mark.parametrize(("source", "words"), [("callback", "Callback"), ("poll", "Poll")])
def test_message_list__time_to_final_and_source(admin_client: Client, source: str, words: str) -> None:
    now = timezone.now()
    message = SmsMessageFactory.create(
        status=Status.DELIVERED, created_at=now, sent_at=now, finalised_at=now + timedelta(seconds=75)
    )
    DeliveryReportFactory.create(message=message, source="send")
    DeliveryReportFactory.create(message=message, source=source)
    DeliveryReportFactory.create(message=message, source="omnichannel", outcome="stale")
    cells = row(admin_client)
    assert "1 min 15 s" in cells
    assert f'<span class="messente-dlr-under">{words}</span>' in cells
