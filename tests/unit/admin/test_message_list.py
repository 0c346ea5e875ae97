from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.admin.search import messages_about
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, list_url, listed, search

pytestmark = pytest.mark.django_db

# Session, user, count, the rows, how they were learnt, the accounts' names for the filter, those on hold.
QUERIES = 7


def row(admin_client: Client) -> str:
    """The one row of the list."""
    page = html(admin_client, list_url(SmsMessage))
    return page[page.index("<tbody>") : page.index("</tbody>")]


def test_a_message_is_listed_with_what_became_of_it(admin_client: Client) -> None:
    SmsMessageFactory.create(
        sms_unique_id="abc123", recipient="+37255500001", account="marketing", status=Status.REJECTED, err=7
    )
    cells = row(admin_client)
    for text in ("abc123", "+37255500001", "Rejected", "Sender name not allowed", "marketing"):
        assert text in cells


@pytest.mark.parametrize("status", Status)
def test_a_status_is_a_badge_with_text(admin_client: Client, status: Status) -> None:
    SmsMessageFactory.create(status=status)
    assert f'">{status.label}</span>' in row(admin_client)


@pytest.mark.parametrize(
    ("err", "words"),
    [(3, "Invalid number"), (None, "No cause reported"), (0, "No cause reported"), (42, "Unknown cause (err 42)")],
)
def test_a_failure_has_its_cause_in_words(admin_client: Client, err: int | None, words: str) -> None:
    SmsMessageFactory.create(status=Status.FAILED, err=err)
    assert words in row(admin_client)


@pytest.mark.parametrize("err", [None, 0, 1, 10])
def test_what_did_not_fail_has_no_cause(admin_client: Client, err: int | None) -> None:
    SmsMessageFactory.create(status=Status.DELIVERED, err=err)
    assert '<td class="field-cause">–</td>' in row(admin_client)


def test_a_message_of_which_nothing_is_known_is_listed_with_a_dash_that_leads_to_its_page(
    admin_client: Client,
) -> None:
    message = SmsMessageFactory.create(queued=True, recipient="")
    cells = row(admin_client)
    assert f"/smsmessage/{message.pk}/change/" in cells
    assert '<span aria-hidden="true">–</span>' in cells
    assert f'<span class="visually-hidden">#{message.pk}</span>' in cells


def test_an_omnimessage_without_an_id_of_its_own_is_listed_with_that_of_the_whole(admin_client: Client) -> None:
    SmsMessageFactory.create(sms_unique_id=None, omnimessage_id="whole-1")
    assert "whole-1" in row(admin_client)


def test_the_newest_message_stands_first(admin_client: Client) -> None:
    first = SmsMessageFactory.create(created_at=timezone.now())
    second = SmsMessageFactory.create(created_at=timezone.now() - timedelta(days=1))
    assert listed(admin_client, SmsMessage) == [second, first]


@pytest.mark.parametrize("many", [1, 40])
def test_a_list_of_any_length_takes_the_same_number_of_queries(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, many: int
) -> None:
    SmsMessageFactory.create_batch(many, status=Status.FAILED, err=1)
    with django_assert_num_queries(QUERIES):
        assert len(listed(admin_client, SmsMessage)) == many


def test_the_whole_table_is_not_counted_beside_what_was_found(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    SmsMessageFactory.create_batch(3, recipient="+37255500001")
    with django_assert_num_queries(QUERIES):
        assert len(search(admin_client, SmsMessage, "+37255500001")) == 3


def test_nobody_is_offered_to_sort_by_a_column_without_an_index(admin_client: Client) -> None:
    SmsMessageFactory.create_batch(2)
    assert "?o=" not in html(admin_client, list_url(SmsMessage))


class TestFilters:
    def test_by_status(self, admin_client: Client) -> None:
        SmsMessageFactory.create()
        failed = SmsMessageFactory.create(status=Status.FAILED)
        assert listed(admin_client, SmsMessage, status="failed") == [failed]

    def test_by_cause(self, admin_client: Client) -> None:
        SmsMessageFactory.create(status=Status.REJECTED, err=6)
        SmsMessageFactory.create(status=Status.DELIVERED, err=7)
        refused = SmsMessageFactory.create(status=Status.REJECTED, err=7)
        assert listed(admin_client, SmsMessage, cause="7") == [refused]

    def test_by_a_cause_that_is_unknown_or_was_not_told(self, admin_client: Client) -> None:
        SmsMessageFactory.create(status=Status.FAILED, err=1)
        SmsMessageFactory.create(status=Status.SENT)
        unknown = [SmsMessageFactory.create(status=Status.FAILED, err=err) for err in (None, 0, 42)]
        assert listed(admin_client, SmsMessage, cause="unknown") == unknown[::-1]

    def test_every_cause_of_failure_is_offered_and_nothing_else(self, admin_client: Client) -> None:
        page = html(admin_client, list_url(SmsMessage))
        for cause in ErrorCode:
            assert (f"?cause={cause.value}" in page) is (cause not in {ErrorCode.NO_ERROR, ErrorCode.SEEN})

    @pytest.mark.parametrize("nonsense", ["seven", "", "10", "-1", "7 or 1=1"])
    def test_a_cause_that_nobody_offered_is_refused(self, admin_client: Client, nonsense: str) -> None:
        response = admin_client.get(list_url(SmsMessage), {"cause": nonsense})
        assert response.status_code == 302
        assert response["Location"].endswith("?e=1")

    def test_by_account_configured_or_only_in_the_database(self, admin_client: Client) -> None:
        AccountFactory.create(name="closed")
        SmsMessageFactory.create()
        old = SmsMessageFactory.create(account="closed")
        page = html(admin_client, list_url(SmsMessage))
        for name in ("default", "marketing", "closed"):
            assert f'"?account={name}"' in page
        assert listed(admin_client, SmsMessage, account="closed") == [old]

    def test_one_account_is_no_choice(self, admin_client: Client, settings: Any) -> None:
        settings.MESSENTE_DLR = {"USERNAME": "shop", "PASSWORD": "a-password"}
        message = SmsMessageFactory.create()
        assert "?account=" not in html(admin_client, list_url(SmsMessage))
        assert listed(admin_client, SmsMessage, account="default") == [message]
        assert "?account=default" in html(admin_client, f"{list_url(SmsMessage)}?account=default")

    @pytest.mark.parametrize("channel", ["viber", "whatsapp", "rcs", "telegram"])
    def test_by_channel(self, admin_client: Client, channel: str) -> None:
        SmsMessageFactory.create()
        message = SmsMessageFactory.create(channel=channel)
        assert f'"?channel={channel}"' in html(admin_client, list_url(SmsMessage))
        assert listed(admin_client, SmsMessage, channel=channel) == [message]

    def test_nobody_can_have_every_choice_counted(self, admin_client: Client) -> None:
        assert "_facets" not in html(admin_client, list_url(SmsMessage))


class TestSearch:
    @pytest.fixture(autouse=True)
    def _others(self) -> None:
        SmsMessageFactory.create_batch(3)
        SmsMessageFactory.create(queued=True)

    @pytest.mark.parametrize("term", ["abc123", " abc123\n"])
    def test_by_message_id(self, admin_client: Client, term: str) -> None:
        message = SmsMessageFactory.create(sms_unique_id="abc123")
        assert search(admin_client, SmsMessage, term) == [message]

    def test_by_omnimessage_id(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(omnimessage_id="22222222-2222-4222-8222-222222222222")
        assert search(admin_client, SmsMessage, "22222222-2222-4222-8222-222222222222") == [message]

    def test_by_an_id_with_spaces_in_it(self, admin_client: Client) -> None:
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
    def test_by_a_number_in_any_spelling(self, admin_client: Client, stored: str, typed: str) -> None:
        message = SmsMessageFactory.create(recipient=stored)
        assert search(admin_client, SmsMessage, typed) == [message]

    def test_by_the_number_that_a_message_without_an_id_is_called_by(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(queued=True)
        assert search(admin_client, SmsMessage, str(message)) == [message]

    @pytest.mark.parametrize("term", ["abc12", "ABC12%", "+3725550000", "#", "#0", "'", "a\0b", "–", "9" * 5000])
    def test_what_is_not_there_is_not_found(self, admin_client: Client, term: str) -> None:
        SmsMessageFactory.create(sms_unique_id="abc123", recipient="+37255500009")
        if "\0" in term:  # Django's own search form refuses it and says so
            assert "Null characters are not allowed." in html(admin_client, f"{list_url(SmsMessage)}?q=a%00b")
        else:
            assert search(admin_client, SmsMessage, term) == []

    def test_nothing_but_spaces_asks_for_everything(self, admin_client: Client) -> None:
        assert len(search(admin_client, SmsMessage, "  ")) == SmsMessage.objects.count()

    @pytest.mark.parametrize("term", ["abc123", "+372 5550 0009", "#17"])
    @pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's way of telling a plan")
    def test_every_search_uses_an_index(self, term: str) -> None:
        plan = messages_about(SmsMessage.objects.order_by("-pk"), term).explain()
        assert "SCAN" not in plan
        assert "messente_dlr_recipient" in plan or "abc" in term or "#" in term


@pytest.mark.parametrize(("source", "words"), [("callback", "Callback"), ("poll", "Poll")])
def test_how_its_status_was_learnt_stands_beside_how_long_it_took(
    admin_client: Client, source: str, words: str
) -> None:
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
