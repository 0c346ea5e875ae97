"""The channels, the reference and the resends of a message on its page, in the list and in the exported file."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import formats, timezone

from django_messente_dlr.models import DeliveryReport, QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, html, list_url, page_url, search

pytestmark = pytest.mark.django_db
NUMBER = "+37255500001"
VIBER = {"channel": "viber", "sender": "Shop", "ttl": 60, "text": "Your code is 1234", "message_id": "viber-id"}
SMS = {"channel": "sms", "validity": 5, "text": f"Code 1234 for {NUMBER}", "message_id": "sms-id"}


def of_channels(**attributes: Any) -> SmsMessage:
    values = {"recipient": NUMBER, "channels": [VIBER, SMS], "sms_unique_id": None, "omnimessage_id": "an-omni-id"}
    message: SmsMessage = SmsMessageFactory.create(**{**values, **attributes})
    return message


def channel_items(page: str) -> list[str]:
    """Return the text of each channel on the page of a message, without markup."""
    items = re.findall(r"<li>(.*?)</li>", page.partition("messente-dlr-channels")[2].partition("</ol>")[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", item).split()) for item in items]


def report(message: SmsMessage, channel_id: str, status: str) -> None:
    DeliveryReportFactory.create(message=message, sms_unique_id=channel_id, status=status)


def test_message_page__channels(admin_client: Client) -> None:
    message = of_channels()
    report(message, "viber-id", Status.SENT)
    report(message, "viber-id", Status.REJECTED)
    report(message, "viber-id", Status.FAILED)
    viber, sms = channel_items(html(admin_client, page_url(message)))
    assert viber.startswith("viber, sender “Shop”, tried for 1 min 0 s Rejected {")
    assert "Your code is 1234" in viber
    assert "viber-id" not in viber
    assert sms.startswith("sms, tried for 5 min 0 s – {")


def test_message_page__channels_without_content(admin_client: Client) -> None:
    message = of_channels(channels=[{"channel": "viber"}, {"channel": "sms", "message_id": "sms-id"}])
    report(message, "sms-id", Status.DELIVERED)
    assert channel_items(html(admin_client, page_url(message))) == ["viber –", "sms Delivered"]


def test_message_page__one_text_has_no_channels(admin_client: Client) -> None:
    assert "field-channel_list" not in html(admin_client, page_url(SmsMessageFactory.create()))


def test_message_page__channels_without_permissions(staff: Staff) -> None:
    message = of_channels()
    report(message, "viber-id", Status.FAILED)
    page = html(staff("view_smsmessage"), page_url(message))
    assert channel_items(page) == [
        "viber, sender “Shop”, tried for 1 min 0 s – •••••",
        "sms, tried for 5 min 0 s – •••••",
    ]
    assert "1234" not in page
    page = html(staff("view_smsmessage", "view_deliveryreport"), page_url(message))
    assert channel_items(page)[0].startswith("viber, sender “Shop”, tried for 1 min 0 s Failed •••••")
    page = html(staff("view_smsmessage", "view_text"), page_url(message))
    assert "1234" in page
    assert NUMBER not in page
    page = html(staff("view_smsmessage", "view_text", "view_recipient"), page_url(message))
    assert f"Code 1234 for {NUMBER}" in page


def test_message_page__content_is_escaped(admin_client: Client) -> None:
    channels = [{"channel": "<b>", "sender": "<i>", "text": "<script>"}]
    page = html(admin_client, page_url(of_channels(channels=channels)))
    for markup in ("<b>", "<i>", "<script>&quot;", '"<script>"'):
        assert markup not in page.partition("messente-dlr-channels")[2].partition("</ol>")[0]


def test_reference__on_page_and_in_list(admin_client: Client, staff: Staff) -> None:
    message = of_channels(reference=f"order {NUMBER}")
    for url in (page_url(message), list_url(SmsMessage)):
        assert f"order {NUMBER}" in html(admin_client, url)
        assert "order +372•••••001" in html(staff("view_smsmessage"), url)
    assert "field-masked_reference" not in html(admin_client, page_url(of_channels(omnimessage_id="another")))


def test_search__by_reference(admin_client: Client) -> None:
    message = of_channels(reference="order-17")
    of_channels(reference="order-170", omnimessage_id="another")
    of_channels(omnimessage_id="third")
    assert search(admin_client, SmsMessage, "order-17") == [message]
    assert search(admin_client, SmsMessage, " order-17 ") == [message]
    assert search(admin_client, SmsMessage, "order") == []
    found = DeliveryReportFactory.create(message=message)
    assert search(admin_client, DeliveryReport, "order-17") == [found]


def test_message_page__links_of_a_resend(admin_client: Client) -> None:
    old = SmsMessageFactory.create(status=Status.FAILED, resent_at=timezone.now())
    new = SmsMessageFactory.create(resend_of=old)
    page = html(admin_client, page_url(old))
    link = f'The message was already sent again. <a href="{page_url(new)}">The new message</a>'
    assert link in page
    page = html(admin_client, page_url(new))
    assert f'Resend of <a href="{page_url(old)}">{old}</a>' in page
    old.delete()
    assert "Resend of" not in html(admin_client, page_url(new))


@pytest.mark.parametrize("codenames", [(), ("view_text",), ("view_recipient",)])
def test_export__reference_channels_and_resend(staff: Staff, codenames: tuple[str, ...]) -> None:
    old = of_channels()
    new = of_channels(omnimessage_id="another", resend_of=old, reference=f"order {NUMBER}")
    client = staff("view_smsmessage", "export_smsmessage", *codenames)
    response: Any = act(client, "export", new)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    [line] = csv.DictReader(io.StringIO(text))
    number = NUMBER if "view_recipient" in codenames else "+372•••••001"
    assert (line["reference"], line["resend_of"]) == (f"order {number}", str(old.pk))
    assert line["channels"] == "viber, sms"
    assert "1234" not in text


def test_message_page__planned_resend(admin_client: Client) -> None:
    old = SmsMessageFactory.create(status=Status.FAILED, resent_at=timezone.now())
    new = SmsMessageFactory.create(status=Status.QUEUED, resend_of=old, attempt=1)
    due_at = timezone.now() + timedelta(minutes=5)
    queued = QueuedMessage.objects.create(message=new, account=new.account, due_at=due_at)
    page = html(admin_client, page_url(old))
    time = formats.date_format(timezone.localtime(due_at), "SHORT_DATETIME_FORMAT")
    assert f'The message will be sent again on {time}. <a href="{page_url(new)}">The new message</a>' in page
    assert "already sent again" not in page
    queued.delete()
    assert "The message was already sent again." in html(admin_client, page_url(old))
