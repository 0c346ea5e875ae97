from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.admin import statistics as admin_statistics
from django_messente_dlr.maintenance import statistics
from django_messente_dlr.models import DeliveryReport, MessageStatistics, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import html, list_url, page_url

pytestmark = pytest.mark.django_db

# Session, user, statistics, the accounts, the pending polls of accounts that are not configured, whether messages
# wait in the queue, seven counts, the time of the last update twice, the accounts on hold.
QUERIES = 16

# The ages in days of the messages for a period; the oldest is outside.
AGES = {"7d": (0, 3, 9), "30d": (0, 3, 20, 40)}


@pytest.fixture(autouse=True)
def _half_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a fixed time in the middle of an hour, so that no hour ends during a test."""
    now = timezone.now().replace(minute=30, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: now)


def sent(ago: timedelta, status: Status = Status.DELIVERED, *, took: int = 4, **attributes: Any) -> SmsMessage:
    at = timezone.now() - ago
    return SmsMessageFactory.create(
        created_at=at,
        sent_at=at,
        status=status,
        finalised_at=at + timedelta(seconds=took) if status.is_final else None,
        **attributes,
    )


def overview(client: Client, window: str = "") -> str:
    statistics.update_statistics()
    return html(client, list_url(MessageStatistics) + (f"?window={window}" if window else ""))


def cards(page: str) -> dict[str, str]:
    matches = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    return {name: re.sub(r"<[^>]*>", "", value) for name, value in matches}


def attention(page: str) -> list[str]:
    """Return the links, or texts, of what needs attention, without markup."""
    section = page.partition('id="messente-dlr-attention"')[2].partition("</section>")[0]
    return [" ".join(re.sub(r"<[^>]*>", "", item).split()) for item in re.findall(r"<li>(.*?)</li>", section)]


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, as text without markup."""
    table = page.partition(f'id="messente-dlr-{heading}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    lines = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)]
        for line in lines
    ]


def test_overview__no_data(admin_client: Client) -> None:
    page = html(admin_client, list_url(MessageStatistics))
    assert cards(page)["Messages"] == "0"
    assert cards(page)["Delivery rate"] == "–"
    assert "No message failed." in page
    assert "Not updated yet" in page


def test_overview__totals(admin_client: Client) -> None:
    for _ in range(3):
        sent(timedelta(minutes=5))
    sent(timedelta(minutes=5), Status.FAILED, err=1)
    sent(timedelta(minutes=1), Status.SENT)
    page = overview(admin_client)
    shown = cards(page)
    assert (shown["Messages"], shown["Delivery rate"], shown["Pending now"]) == ("5", "75 %", "1")
    assert shown["Time to final, median"].endswith(" s")


@pytest.mark.parametrize(("window", "number"), [("24h", "1"), ("7d", "2"), ("30d", "3"), ("", "1"), ("a year", "1")])
def test_overview__period_length(admin_client: Client, window: str, number: str) -> None:
    for days in AGES.get(window, (0, 3)):
        sent(timedelta(days=days, minutes=1))
    assert cards(overview(admin_client, window))["Messages"] == number


def test_overview__chart_and_its_table(admin_client: Client) -> None:
    sent(timedelta(0))
    sent(timedelta(0), Status.REJECTED)
    sent(timedelta(0), Status.CANCELLED)
    page = overview(admin_client)
    drawn = re.findall(r'<rect class="messente-dlr-fill-(\w+)" x=', page)
    assert sorted(drawn) == ["cancelled", "delivered", "rejected"]
    *_, last = rows(page, "volume")
    assert last[1:] == ["1", "0", "0", "0", "0", "0", "1", "1", "3"]
    assert page.count("<g><title>") == 24


def test_overview__table_without_rows_of_zeros(admin_client: Client) -> None:
    assert rows(html(admin_client, list_url(MessageStatistics)), "volume") == []
    sent(timedelta(hours=5))
    sent(timedelta(0))
    assert [line[-1] for line in rows(overview(admin_client), "volume")] == ["1", "1"]


def test_overview__causes_ranked(admin_client: Client) -> None:
    for err in (7, 7, 3, None):
        sent(timedelta(minutes=1), Status.FAILED, err=err)
    for days in (2, 3):
        sent(timedelta(days=days), Status.FAILED, err=7)
    page = overview(admin_client)
    assert [line[:2] for line in rows(page, "causes")] == [
        ["Sender name not allowed", "2"],
        ["Invalid number", "1"],
        ["Unknown cause", "1"],
    ]
    assert f'"{list_url(SmsMessage)}?cause=7&amp;age=day"' in page


@pytest.mark.parametrize(("window", "number"), [("24h", "1"), ("7d", "2"), ("30d", "3")])
def test_overview__cause_link_matches_count(admin_client: Client, window: str, number: str) -> None:
    for days in AGES.get(window, (0, 3)):
        sent(timedelta(days=days, minutes=1), Status.FAILED, err=7)
    page = overview(admin_client, window)
    assert [line[:2] for line in rows(page, "causes")] == [["Sender name not allowed", number]]
    [link] = re.findall(r'<th scope="row"><a href="([^"]*cause=7[^"]*)"', page)
    response = admin_client.get(unescape(link))
    assert len(response.context["cl"].result_list) == int(number)


def test_overview__by_account_and_prefix(admin_client: Client) -> None:
    sent(timedelta(minutes=1), recipient="+37255500000")
    sent(timedelta(minutes=1), Status.FAILED, recipient="+37255500001", account="marketing")
    sent(timedelta(minutes=1), Status.SENT, recipient="+358401234567", account="marketing")
    sent(timedelta(minutes=1), Status.UNRESOLVED, recipient="+358401234567", account="marketing")
    page = overview(admin_client)
    assert rows(page, "accounts") == [
        ["marketing", "3", "0 %", "1", "1"],
        ["default", "1", "100 %", "0", "0"],
    ]
    assert rows(page, "prefixes") == [["+358", "2", "–", "0", "1"], ["+372", "2", "50 %", "1", "0"]]


def test_overview__other_accounts_summed(admin_client: Client) -> None:
    for number in range(admin_statistics.MAX_GROUPS):
        for _ in range(2):
            sent(timedelta(minutes=1), account=f"shop-{number}")
    sent(timedelta(minutes=1), account="small")
    sent(timedelta(minutes=1), Status.FAILED, account="smaller")
    *listed, last = rows(overview(admin_client), "accounts")
    assert [line[0] for line in listed] == [f"shop-{number}" for number in range(admin_statistics.MAX_GROUPS)]
    assert last == ["All others", "2", "50 %", "1", "0"]


def test_overview__report_counts_and_links(admin_client: Client) -> None:
    DeliveryReportFactory.create(message=None)
    DeliveryReportFactory.create(outcome="unreadable", status="")
    DeliveryReportFactory.create(dispatched_at=None, dispatch_due_at=timezone.now())
    DeliveryReportFactory.create_batch(2, dispatch_error="Oh.")
    page = overview(admin_client)
    # Before these, the messages of the reports may be overdue.
    assert attention(page)[-4:] == [
        "Without a message (orphans) 1",
        "Unrecognised status 1",
        "Signals not sent yet 1",
        "A receiver failed 2",
    ]
    for query in ("outcome=orphan", "outcome=unreadable", "signals=waiting", "signals=failed"):
        assert f'"{list_url(DeliveryReport)}?{query}"' in page


def test_overview__nothing_needs_attention(admin_client: Client, staff: Staff) -> None:
    assert "No message is overdue, and no report needs attention." in overview(admin_client)
    DeliveryReportFactory.create(message=None)
    page = overview(staff("view_messagestatistics"))
    assert attention(page) == ["Without a message (orphans) 1"]
    assert list_url(DeliveryReport) not in page


def test_overview__accounts_and_attention_first(admin_client: Client) -> None:
    page = overview(admin_client)
    order = ["messente-dlr-credit", "messente-dlr-attention", "messente-dlr-cards", "messente-dlr-volume"]
    assert sorted(order, key=page.index) == order


def test_overview__one_number_of_pending_messages(admin_client: Client) -> None:
    old = timezone.now() - timedelta(days=40)
    SmsMessageFactory.create(created_at=old, sent_at=old)
    sent(timedelta(0), Status.SENT)
    page = overview(admin_client)
    assert cards(page)["Pending now"] == "2"
    assert page.count("Pending") == 1
    assert "Delivered messages per delivered or failed message. All others are left out." in page


def test_overview__account_table(admin_client: Client) -> None:
    now = timezone.now()
    AccountFactory.create(held=True, balance=Decimal("0.5"), last_callback_at=now - timedelta(hours=2))
    AccountFactory.create(name="marketing", last_poll_at=now - timedelta(minutes=3))
    default, marketing = rows(overview(admin_client), "credit")
    assert default[:4] == ["default", "On hold: out of credits", "0.50", "2 hours ago"]
    assert marketing[1:] == ["Not on hold", "–", "–", "3 minutes ago"]


class TestWarnings:
    def warnings(self, client: Client) -> str:
        return overview(client).partition('class="messente-dlr-warnings"')[2].partition("</ul>")[0]

    def test_warnings__callbacks_stopped(self, admin_client: Client) -> None:
        AccountFactory.create(last_callback_at=timezone.now() - timedelta(hours=6))
        for _ in range(6):
            sent(timedelta(hours=3), Status.SENT)
        assert "Callbacks for “default” have stopped: 6 messages" in self.warnings(admin_client)

    @pytest.mark.parametrize("last_callback_ago", [None, timedelta(hours=30)])
    def test_warnings__no_callback_in_24_hours(
        self, admin_client: Client, last_callback_ago: timedelta | None
    ) -> None:
        AccountFactory.create(last_callback_at=last_callback_ago and timezone.now() - last_callback_ago)
        for hours in (3, 3, 3, 3, 3, 28):
            sent(timedelta(hours=hours), Status.SENT)
        said = "No callback for “default” was received in the last 24 hours, although 5 messages were sent."
        assert said in self.warnings(admin_client)

    def test_warnings__unconfigured_account_pending(self, admin_client: Client) -> None:
        AccountFactory.create(name="gone")
        said = "The account “gone” is not configured, so its pending messages cannot be polled."
        assert said not in self.warnings(admin_client)
        message = SmsMessageFactory.create(account="gone")
        assert said in self.warnings(admin_client)
        simulate_callback(message)
        assert said not in self.warnings(admin_client)

    @pytest.mark.parametrize("case", ["callback since", "few", "just sent", "no callbacks"])
    def test_warnings__silence_is_expected(self, admin_client: Client, settings: Any, case: str) -> None:
        ago = timedelta(hours=1) if case == "callback since" else timedelta(hours=6)
        AccountFactory.create(last_callback_at=timezone.now() - ago)
        for _ in range(2 if case == "few" else 6):
            sent(timedelta(0) if case == "just sent" else timedelta(hours=3), Status.SENT)
        if case == "no callbacks":
            settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": ""}
        assert "Reports have stopped" not in self.warnings(admin_client)

    @pytest.mark.parametrize(("polled", "warned"), [(None, True), (60, True), (1, False)])
    def test_warnings__poller_not_running(self, admin_client: Client, polled: int | None, *, warned: bool) -> None:
        now = timezone.now()
        AccountFactory.create(last_poll_at=now - timedelta(minutes=polled) if polled else None)
        sent(timedelta(hours=2), Status.SENT, next_poll_at=now - timedelta(minutes=20))
        assert ("Messages are overdue and are not polled" in self.warnings(admin_client)) is warned
        page = overview(admin_client)
        assert attention(page) == ["Overdue now 1"]
        assert f'"{list_url(SmsMessage)}?status=overdue"' in page

    def test_warnings__last_poll_error(self, admin_client: Client) -> None:
        AccountFactory.create(last_poll_error="The credentials were refused.")
        assert "“default” failed: The credentials were refused." in self.warnings(admin_client)

    def test_warnings__ignore_unconfigured_account(self, admin_client: Client) -> None:
        then = timezone.now() - timedelta(hours=6)
        AccountFactory.create(name="former", last_poll_error="The credentials were refused.", last_callback_at=then)
        for _ in range(6):
            sent(timedelta(hours=3), Status.DELIVERED, account="former")
        assert "former" not in self.warnings(admin_client)

    def test_warnings__statistics_old(self, admin_client: Client) -> None:
        assert "These figures are out of date." in html(admin_client, list_url(MessageStatistics))
        assert "These figures are out of date." not in overview(admin_client)


def test_overview__button_updates_statistics(admin_client: Client) -> None:
    sent(timedelta(0))
    response = admin_client.post(list_url(MessageStatistics), follow=True)
    assert cards(response.content.decode())["Messages"] == "1"
    assert "The statistics of 1 hour were updated." in response.content.decode()


def test_overview__button_explains_why_not(admin_client: Client) -> None:
    admin_client.post(list_url(MessageStatistics))
    response = admin_client.post(list_url(MessageStatistics), follow=True)
    assert "Nothing was counted again, because the figures are recent." in response.content.decode()
    assert "0 hours were updated" not in response.content.decode()


def test_overview__get_does_not_update(admin_client: Client) -> None:
    sent(timedelta(minutes=1))
    html(admin_client, list_url(MessageStatistics))
    assert not MessageStatistics.objects.exists()


def test_overview__permission(staff: Staff) -> None:
    assert staff("view_smsmessage").get(list_url(MessageStatistics)).status_code == 403
    assert staff("view_smsmessage").post(list_url(MessageStatistics)).status_code == 403
    assert staff("view_messagestatistics").get(list_url(MessageStatistics)).status_code == 200


@pytest.mark.parametrize("count", [1, 30])
def test_overview__query_count(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        sent(timedelta(minutes=1), account=f"account-{number}", recipient=f"+{20 + number}0000000")
        AccountFactory.create(name=f"account-{number}")
    statistics.update_statistics()
    with django_assert_num_queries(QUERIES):
        html(admin_client, list_url(MessageStatistics))


class TestBanner:
    @pytest.fixture
    def pages(self) -> list[str]:
        report = DeliveryReportFactory.create()
        account = AccountFactory.create()
        rows = [report, report.message, account]
        lists = [list_url(model) for model in (SmsMessage, DeliveryReport, type(account), MessageStatistics)]
        return [
            *lists,
            *(page_url(row) for row in rows),
            *(page_url(row, "history") for row in rows),
            "/admin/django_messente_dlr/",
        ]

    def test_banner__on_every_page(self, admin_client: Client, pages: list[str]) -> None:
        AccountFactory.create(name="marketing", held=True)
        for page in pages:
            shown = html(admin_client, page)
            assert "“marketing” is out of credits." in shown, page
            assert "django_messente_dlr/admin.css" in shown, page

    def test_banner__start_of_outage(self, admin_client: Client) -> None:
        AccountFactory.create(credits_exhausted_at=timezone.now() - timedelta(hours=2))
        banner = html(admin_client, list_url(MessageStatistics)).partition('role="alert"')[2].partition("</div>")[0]
        assert re.search(r"Since \d\d/\d\d/\d{4} [\w:]+ [ap]\.m\. \(<time [^>]*>2 hours ago</time>\)\.", banner)

    def test_banner__absent_without_outage(self, admin_client: Client, pages: list[str]) -> None:
        for page in pages:
            assert "messente-dlr-outage" not in html(admin_client, page)
