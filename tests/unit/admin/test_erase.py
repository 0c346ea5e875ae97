"""The admin action "Erase recipients"."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client

from django_messente_dlr.admin.actions import erase
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.spellings import NUMBER, contains_the_number
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, admin_messages, html, list_url, page_url
from tests.unit.admin.test_actions import BEFORE_CLAIM, results
from tests.unit.maintenance.interfering import just_before

pytestmark = pytest.mark.django_db(transaction=True)


def text_of(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_erase__confirmation_page(staff: Staff) -> None:
    first, _ = SmsMessageFactory.create(recipient=NUMBER), SmsMessageFactory.create(recipient=NUMBER[1:])
    unknown = SmsMessageFactory.create(recipient="")
    erased = SmsMessageFactory.create(recipient="erased-qwertyuiopas")
    response = act(staff("view_smsmessage", "erase_recipient"), "erase", first, unknown, erased)
    assert "2 messages were sent to these numbers. They will be erased wherever this app" in text_of(response)
    assert [(recipient, answer) for recipient, *_, answer in results(response)] == [
        ("+372•••••345", "Yes"),
        (str(unknown), "No: The recipient is unknown."),
        ("erased-qwertyuiopas", "No: The recipient was erased."),
    ]
    assert "Yes, erase" in text_of(response)
    first.refresh_from_db()
    assert first.recipient == NUMBER


def test_erase__nothing_to_erase(admin_client: Client) -> None:
    response = act(admin_client, "erase", SmsMessageFactory.create(recipient=""))
    assert "These messages have no number to erase." in text_of(response)
    assert "Yes, erase" not in text_of(response)


def test_erase__confirmed(admin_client: Client) -> None:
    message = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, metadata={"phone": "5551 2345"})
    other, third = SmsMessageFactory.create(recipient=NUMBER[1:]), SmsMessageFactory.create(text=NUMBER)
    DeliveryReportFactory.create(message=message, payload={"to": NUMBER})
    DeliveryReportFactory.create(message=None, payload={"to": "372 555 12345"})
    unknown = SmsMessageFactory.create(recipient="")
    response = act(admin_client, "erase", message, unknown, confirmed="yes")
    for row in (message, other, third):
        row.refresh_from_db()
    assert results(response) == [
        [message.recipient, "Erased", "Failed", ""],
        [str(unknown), "Not erased", "Sent", "The recipient is unknown."],
    ]
    assert admin_messages(response) == [
        ("success", "Numbers were erased in 3 messages, 2 delivery reports and 0 log entries.")
    ]
    assert message.recipient == other.recipient == third.text == message.metadata["phone"]
    assert "Erased the recipient." in html(admin_client, page_url(message, "history"))
    assert LogEntry.objects.count() == 1
    assert not contains_the_number(response.content.decode())


def test_erase__of_several_numbers(admin_client: Client) -> None:
    rows = [SmsMessageFactory.create(recipient=number) for number in (NUMBER, NUMBER[1:], "+37255500002")]
    act(admin_client, "erase", *rows, confirmed="yes")
    pseudonyms = [SmsMessage.objects.get(pk=row.pk).recipient for row in rows]
    assert pseudonyms[0] == pseudonyms[1] != pseudonyms[2]
    assert all(pseudonym.startswith("erased-") for pseudonym in pseudonyms)


def test_erase__too_many_rows(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "MAX_ROWS", 2)
    rows = SmsMessageFactory.create_batch(2)
    assert act(admin_client, "erase", *rows).status_code == 200
    DeliveryReportFactory.create(message=rows[0])
    for data in ({}, {"confirmed": "yes"}):
        level, text = admin_messages(act(admin_client, "erase", *rows, **data))[-1]
        assert level == "error"
        assert text.endswith("Run the command erase_recipient on the server.")
    assert not SmsMessage.objects.filter(recipient__startswith="erased-").exists()


def test_erase__in_batches(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "MAX_ERASED", 1)
    first, second = SmsMessageFactory.create_batch(2)
    page = act(admin_client, "erase", first, second).content.decode()
    assert f'name="remaining" value="{second.pk}"' in page
    assert "1 more message was selected." in page
    response = act(admin_client, "erase", first, confirmed="yes", remaining=str(second.pk))
    assert "Continue with the next message (1 remaining)" in response.content.decode()
    for message in (first, second):
        message.refresh_from_db()
    assert (first.is_erased, second.is_erased) == (True, False)


def test_erased_message__is_shown_and_not_resent(admin_client: Client) -> None:
    message = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, text="Your parcel is here")
    act(admin_client, "erase", message, confirmed="yes")
    message.refresh_from_db()
    assert message.recipient in html(admin_client, list_url(SmsMessage))
    page = html(admin_client, page_url(message))
    assert message.recipient in page
    assert 'value="resend"' not in page
    [line] = results(act(admin_client, "resend", message, confirmed="yes"))
    assert line[1:4] == ["Not sent", "Failed", "The recipient was erased."]
    assert SmsMessage.objects.count() == 1


def test_resend__erased_before_claim(admin_client: Client) -> None:
    """The request has read the number before another request erases it."""
    message = SmsMessageFactory.create(recipient=NUMBER, status=Status.FAILED, text="Your parcel is here")
    rows: Any = SmsMessage.objects.filter(pk=message.pk)
    with just_before(BEFORE_CLAIM, lambda: rows.update(recipient="erased-qwertyuiopas")):
        [line] = results(act(admin_client, "resend", message, confirmed="yes"))
    assert line[1:4] == ["Not sent", "Failed", "The recipient was erased."]
    assert SmsMessage.objects.count() == 1
