"""Staff without ``view_recipient`` see no number, however it is written: on pages, in results, REST and logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling import Poller
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from tests.integration.messente_sockets.wire import Wire
from tests.security.failing import ok, use_messente
from tests.spellings import NATIONAL, NUMBER, SPELLINGS, contains_the_number
from tests.unit.admin.pages import MODELS, act, admin_messages, list_url, log_in, page_url

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.security.urls"),
    pytest.mark.skipif(connection.vendor == "mysql", reason="runs on SQLite and PostgreSQL"),
]
EVERYTHING_ELSE = (
    *("view_smsmessage", "view_deliveryreport", "view_account", "view_messagestatistics", "change_smsmessage"),
    *("change_deliveryreport", "change_account", "resend_smsmessage", "export_smsmessage", "erase_recipient"),
)
# Some spellings for the tests that call Messente for each.
SOME_SPELLINGS = ["+37255512345", "55512345", "372 555 12345", "372-5551-2345", "372/5551/2345"]
ORPHANS_PAYLOAD = {"sms_unique_id": "1234567890", "omnimessage_id": "2222222-2222"}


def create_rows(spelling: str) -> list[Any]:
    """Create a failed message, its reports and two orphans with a number in all columns that Messente can fill."""
    message = SmsMessageFactory.create(
        recipient=NUMBER,
        status=Status.FAILED,
        text="Your parcel is here",
        error_text=f"{spelling} is not valid",
        metadata={"phone": spelling, "list": [spelling], spelling: 1, "number": int(NATIONAL), "order": 17},
    )
    payload = {"to": spelling, "error": f"to={spelling}&x", "nested": [{spelling: int(NUMBER[1:])}]}
    error = f"shop.on_dlr: KeyError: '{spelling}'"
    reports = [
        DeliveryReportFactory.create(message=message, payload=payload, dispatch_error=error),
        DeliveryReportFactory.create(
            message=message,
            source="send",
            stat="",
            status=Status.FAILED,
            payload={"answer": f'Messente answered "ERROR 105 {spelling}".'},
        ),
    ]
    orphans = [
        DeliveryReportFactory.create(
            message=None, sms_unique_id="1234567890", payload=payload | ORPHANS_PAYLOAD, dispatch_error=error
        ),
        DeliveryReportFactory.create(message=SmsMessageFactory.create(recipient=""), payload=payload),
    ]
    return [message, *reports, *orphans]


def read_pages(client: Client, rows: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each page, file and response about the rows."""
    urls = [list_url(model) for model in MODELS]
    urls += [page_url(row, view) for row in rows for view in ("change", "history")]
    urls += ["/admin/", "/admin/django_messente_dlr/messagestatistics/", "/api/messages/"]
    urls += [f"/api/messages/{row.pk}/" for row in rows if isinstance(row, SmsMessage)]
    for url in urls:
        response = client.get(url)
        assert response.status_code == 200, url
        content = response.content.decode()
        # The tests search for digits, and JSON has escapes of characters between them.
        yield url, json.dumps(response.json(), ensure_ascii=False) if url.startswith("/api/") else content
    messages = [row for row in rows if isinstance(row, SmsMessage)]
    for action in ("export", "resend", "erase"):
        result = act(client, action, *messages)
        assert result.status_code == 200
        yield action, b"".join(result).decode()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_pages__no_number_without_permission(spelling: str) -> None:
    rows = create_rows(spelling)
    client = log_in(*EVERYTHING_ELSE)
    pages = dict(read_pages(client, rows))
    assert [name for name, content in pages.items() if contains_the_number(content)] == []
    assert "+372•••••345" in pages[page_url(rows[0])]
    # The ids of an orphan, which its list shows, are not masked.
    assert "&quot;sms_unique_id&quot;: &quot;1234567890&quot;" in pages[page_url(rows[3])]


def test_pages__numbers_with_permission() -> None:
    """The search for the number is able to find it: on each page that shows a masked one, and on no other."""
    rows = create_rows(NUMBER)
    pages = dict(read_pages(log_in(*EVERYTHING_ELSE, "view_recipient"), rows))
    masked = dict(read_pages(log_in(*EVERYTHING_ELSE), rows))
    found = {name for name, content in pages.items() if contains_the_number(content)}
    assert found == {name for name, content in masked.items() if "•••" in content}
    assert len(found) >= 5 + 2 + 3


@pytest.mark.parametrize("spelling", SOME_SPELLINGS)
@pytest.mark.parametrize("answer", ["ERROR 105 {}", "FAILED 209 {}", "{} is not a number", "ERROR 103 {}"])
def test_resend_and_poll__no_number_in_results(spelling: str, answer: str, caplog: pytest.LogCaptureFixture) -> None:
    """Messente's response is shown in the result of the actions, on the timeline and in the log."""
    client, full = log_in(*EVERYTHING_ELSE), log_in(*EVERYTHING_ELSE, "view_recipient")
    failed = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, text="Your parcel is here")
    pending = SmsMessageFactory.create(recipient=NUMBER, created_at=timezone.now())
    with Wire(ok(answer.format(spelling))) as wire, use_messente(wire.host):
        results = [act(client, "resend", failed, confirmed="yes"), act(client, "poll_now", pending)]
        Poller().run()
        SmsMessage.objects.filter(pk=pending.pk).update(sent_at=timezone.now())
        results.append(act(client, "poll_now", pending))
    contents = [response.content.decode() for response in results]
    new = SmsMessage.objects.latest("pk")
    contents += [client.get(page_url(row)).content.decode() for row in (new, failed, pending)]
    contents += [client.get(list_url(model)).content.decode() for model in MODELS]
    assert [content for content in contents if contains_the_number(content)] == []
    assert not contains_the_number(caplog.text)
    assert not any(contains_the_number(error) for error in Account.objects.values_list("last_poll_error", flat=True))
    assert not any(contains_the_number(text) for text in LogEntry.objects.values_list("change_message", flat=True))
    if new.error_text:
        assert contains_the_number(full.get(page_url(new)).content.decode())


def test_poll__no_number_in_last_error(caplog: pytest.LogCaptureFixture) -> None:
    SmsMessageFactory.create(recipient=NUMBER, next_poll_at=timezone.now())
    with Wire(ok(f"ERROR 103 {NATIONAL}, 116.203.70.24")) as wire, use_messente(wire.host):
        summary = Poller().run()
    account = Account.objects.get(name="default")
    assert account.last_poll_error == "ERROR 103 •••••345, 116.203.70.24"
    assert account.poll_error_description in caplog.text
    assert list(summary.stopped.values()) == [account.poll_error_description]


def test_actions__no_number_in_log_entries_and_messages() -> None:
    client = log_in(*EVERYTHING_ELSE, "view_recipient")
    AccountFactory.create(held=True)
    rows = create_rows(NUMBER)
    response = act(client, "erase", rows[0], confirmed="yes")
    assert not any(contains_the_number(text) for _, text in admin_messages(response))
    act(client, "send_signals_again", *DeliveryReport.objects.all())
    entries = LogEntry.objects.values_list("object_repr", "change_message")
    assert len(entries) >= 4
    assert not any(contains_the_number("|".join(entry)) for entry in entries)
