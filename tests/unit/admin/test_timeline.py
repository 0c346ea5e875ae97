"""The timeline on the page of a message."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import prepare_sms
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.unit.admin.pages import html, page_url

pytestmark = pytest.mark.django_db


def timeline(client: Client, message: SmsMessage | None) -> list[str]:
    """Return the text of each event, without markup."""
    markup = html(client, page_url(message)).partition('<ol class="messente-dlr-timeline">')[2].partition("</ol>")[0]
    events = re.findall(r"<li class[^>]*>(.*?)</li>", markup, flags=re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", event).split()) for event in events]


def test_timeline__pending_message(admin_client: Client) -> None:
    now = timezone.now()
    message = SmsMessageFactory.create(
        created_at=now - timedelta(hours=1), next_poll_at=now + timedelta(minutes=5, seconds=5)
    )
    entered, _taken, asked, forgotten = timeline(admin_client, message)
    assert entered.startswith("Created ")
    assert "1 hour ago" in entered
    assert "Account “default”, sender “Shop”, channel sms." in entered
    assert asked.startswith("Next poll ")
    assert "in 5 minutes" in asked
    assert "Polled 0 times so far." in asked
    assert forgotten.startswith("Report expires at Messente ")


@pytest.mark.parametrize(("late", "title"), [(1, "Next poll"), (11, "Poll overdue")])
def test_timeline__overdue_poll(admin_client: Client, late: int, title: str) -> None:
    now = timezone.now()
    message = SmsMessageFactory.create(
        created_at=now - timedelta(hours=1), next_poll_at=now - timedelta(minutes=late, seconds=5)
    )
    *_, asked, _forgotten = timeline(admin_client, message)
    assert asked.startswith(f"{title} ")


@pytest.mark.parametrize(("status", "is_shown"), [(Status.SENT, True), (Status.CANCELLED, False)])
def test_timeline__scheduled_message_of_a_status(admin_client: Client, status: Status, *, is_shown: bool) -> None:
    message = SmsMessageFactory.create(status=status, send_at=timezone.now() + timedelta(days=1))
    assert any(event.startswith("Scheduled for sending ") for event in timeline(admin_client, message)) is is_shown


def test_timeline__prepared_message(admin_client: Client) -> None:
    message = prepare_sms("+37255500000")
    assert timeline(admin_client, message)[-1] == "Not sent yet"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"queued": True}, "The message has no ID from Messente."),
        ({"account": "gone"}, "The account of the message is not configured."),
    ],
)
def test_timeline__unpollable_message(admin_client: Client, attributes: dict[str, Any], reason: str) -> None:
    now = timezone.now()
    at = now - timedelta(hours=48, minutes=-5)
    message = SmsMessageFactory.create(**attributes, created_at=at, next_poll_at=now + timedelta(minutes=5))
    *_, given_up = timeline(admin_client, message)
    assert given_up.startswith("Given up if no report arrives ")
    assert "in 6 hours" in given_up
    assert given_up.endswith(f" {reason}")


def test_timeline__reports(admin_client: Client) -> None:
    sent = timezone.now() - timedelta(minutes=10)
    message = SmsMessageFactory.create(status=Status.REJECTED, err=7, created_at=sent, sms_unique_id="abc123")
    DeliveryReportFactory.create(
        message=message, stat="REJECTD", err=7, status=Status.REJECTED, received_at=sent + timedelta(seconds=75)
    )
    DeliveryReportFactory.create(
        message=message,
        source="poll",
        stat="SENT",
        status=Status.SENT,
        outcome="stale",
        received_at=sent + timedelta(seconds=30),
        times_received=3,
        payload={"answer": "OK SENT"},
    )
    entered, taken, poll, callback = timeline(admin_client, message)
    assert "Created" in entered
    assert taken.startswith("Accepted by Messente Sent")
    assert "Message ID abc123." in taken
    assert poll.startswith("Poll: no change Sent")
    assert "30 s after sending" in poll
    assert "Received 2 more times; nothing changed." in poll
    assert "&quot;answer&quot;: &quot;OK SENT&quot;" in poll
    assert callback.startswith("Callback received: status changed Rejected")
    assert "1 min 15 s after sending" in callback
    assert "REJECTD, err 7: The message was rejected. Sender name not allowed" in callback


def test_timeline__receiver_errors(admin_client: Client) -> None:
    report = DeliveryReportFactory.create(dispatch_error="shop.on_dlr: KeyError: 'order'")
    assert "A receiver failed" in "".join(timeline(admin_client, report.message))
    assert "shop.on_dlr: KeyError" in "".join(timeline(admin_client, report.message))


def test_timeline__response_to_sending(admin_client: Client) -> None:
    message = SmsMessageFactory.create(status=Status.REJECTED, sent_at=None, sms_unique_id=None)
    DeliveryReportFactory.create(
        message=message, source="send", stat="", status=Status.REJECTED, payload={"answer": "ERROR 111"}
    )
    assert "Response to sending: status changed Rejected" in timeline(admin_client, message)[1]
    assert "ERROR 111" in timeline(admin_client, message)[1]


def test_timeline__no_further_polls(admin_client: Client) -> None:
    message = SmsMessageFactory.create(status=Status.UNRESOLVED, next_poll_at=None, poll_count=20)
    assert timeline(admin_client, message)[-1] == "Polling has ended Polled 20 times so far."


def test_timeline__scheduled_message(admin_client: Client) -> None:
    now = timezone.now()
    message = SmsMessageFactory.create(created_at=now, sent_at=now + timedelta(hours=20, seconds=30))
    _entered, sent, *_ = timeline(admin_client, message)
    assert sent.startswith("Scheduled for sending ")
    assert "in 20 hours" in sent
    assert "Sent" not in sent


def test_timeline__resent_message(admin_client: Client) -> None:
    sent = timezone.now() - timedelta(minutes=10)
    message = SmsMessageFactory.create(
        status=Status.FAILED, err=999, created_at=sent, resent_at=sent + timedelta(seconds=75)
    )
    _entered, _taken, again = timeline(admin_client, message)
    assert again.startswith("Sent again ")
    assert again.endswith(" 1 min 15 s after sending")


@pytest.mark.parametrize("use_tz", [True, False])
def test_pages__with_and_without_time_zones(admin_client: Client, settings: Any, *, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    message = SmsMessageFactory.create(created_at=timezone.now() - timedelta(minutes=3))
    assert "3 minutes ago" in timeline(admin_client, message)[0]
    for page in (
        "smsmessage/",
        "smsmessage/?age=hour",
        "messagestatistics/",
        "messagestatistics/?window=7d",
        "messagestatistics/?window=30d",
    ):
        html(admin_client, f"/admin/django_messente_dlr/{page}")
    assert admin_client.post("/admin/django_messente_dlr/messagestatistics/").status_code == 302
    assert "<dd>1</dd>" in html(admin_client, "/admin/django_messente_dlr/messagestatistics/?window=7d")
