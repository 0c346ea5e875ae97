"""The shop's page, in the project of the tests: Messente's answers over HTTP, on every database.

The shop's own tests are in ``example_project/shop/tests.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
from config import settings as shop_settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from shop.models import Note, Order

from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.e2e.example.urls")]


def post(client: Client, phone: str, text: str = "Your parcel is here.") -> str:
    response: HttpResponse = client.post(reverse("orders"), {"phone": phone, "text": text}, follow=True)  # type: ignore[assignment]
    assert response.status_code == 200
    return response.content.decode()


def test_orders__empty(client: Client) -> None:
    assert "No order yet." in client.get(reverse("orders")).content.decode()


def test_orders__sent_sms_with_its_status(client: Client, sms_outbox: list[OutgoingMessage]) -> None:
    assert "Messente accepted the SMS as" in post(client, "+37255500143")
    assert [message.to for message in sms_outbox] == ["+37255500143"]
    order = Order.objects.get()
    assert order.message is not None
    assert order.message.metadata == {"order": order.pk}
    assert simulate_callback(order.message).status_code == 200
    page = client.get(reverse("orders")).content.decode()
    assert "Delivered" in page
    assert "Customer informed" in page


@pytest.fixture
def default_api(settings: Any) -> None:
    """Send by the API that the example project uses: its settings have no SEND_API."""
    settings.MESSENTE_DLR = {name: value for name, value in settings.MESSENTE_DLR.items() if name != "SEND_API"}


def test_orders__sent_by_the_default_api(client: Client, messente_sandbox: Sandbox, default_api: None) -> None:
    assert "SEND_API" not in shop_settings.MESSENTE_DLR
    assert "Messente accepted the SMS as" in post(client, "+37255500143")
    message = SmsMessage.objects.get()
    assert (message.options["api"], message.channel, bool(message.omnimessage_id)) == ("omnichannel", "sms", True)
    payload = {"message_id": message.sms_unique_id, "omnimessage_id": message.omnimessage_id, "status": "DELIVRD"}
    assert simulate_omnichannel_callback(payload, url=message.callback_url).status_code == 200
    assert Order.objects.get().state == Order.State.INFORMED


@pytest.mark.parametrize(
    ("phone", "sentence"),
    [
        ("+37255500211", "It was not sent."),
        ("+37255500229", "Try again later."),
        ("+37255500250", "Wait for a delivery report."),
    ],
)
def test_orders__failed_send_by_the_default_api(
    client: Client, messente_sandbox: Sandbox, default_api: None, phone: str, sentence: str
) -> None:
    assert sentence in post(client, phone)
    assert Order.objects.get().message == SmsMessage.objects.get()


@pytest.mark.parametrize(
    ("phone", "sentence", "orders"),
    [
        ("unknown", "is not a phone number", 0),
        ("+37255500211", "It was not sent. Messente answered &quot;ERROR 111&quot;", 1),
        ("+37255500250", "Wait for a delivery report.", 1),
    ],
)
def test_orders__failed_send(
    client: Client, messente_sandbox: Sandbox, phone: str, sentence: str, orders: int
) -> None:
    assert sentence in post(client, phone)
    assert Order.objects.count() == orders
    assert SmsMessage.objects.count() == orders


def test_orders__account_out_of_credits(client: Client) -> None:
    AccountFactory.create(held=True)
    assert "out of credits" in post(client, "+37255500000")
    assert Order.objects.get().state == Order.State.CALL


def test_orders__post_without_csrf_token(client: Client) -> None:
    assert Client(enforce_csrf_checks=True).post(reverse("orders"), {"phone": "+37255500000"}).status_code == 403
    assert not Order.objects.exists()


def test_orders__incomplete_form(client: Client) -> None:
    response: Any = client.post(reverse("orders"), {"phone": "", "text": ""})
    assert "This field is required." in response.content.decode()


def test_receivers__report_without_order() -> None:
    message = SmsMessage.objects.create(account="default", created_at="2026-01-01T00:00Z", recipient="+37255500000")
    assert simulate_callback(message, "REJECTD", 7, sms_unique_id="an-id").status_code == 200
    assert Note.objects.filter(signal="sender_not_allowed", order=None).exists()
