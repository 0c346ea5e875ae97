"""The reference, the channels and the resends of a message in the REST API, for users with different permissions."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.unit.api.urls")]
URL = "/api/messente/messages/"
NUMBER = "37255500001"
VIBER = {"channel": "viber", "sender": "Shop", "ttl": 60, "text": f"Code 1234 for {NUMBER}", "message_id": "1" * 12}


def client(*codenames: str) -> APIClient:
    user = User.objects.create_user("reader")
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_smsmessage", *codenames]))
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def message() -> SmsMessage:
    old = SmsMessageFactory.create(reference="order-1")
    message: SmsMessage = SmsMessageFactory.create(
        recipient=f"+{NUMBER}", reference=f"order {NUMBER}", channels=[VIBER], resend_of=old
    )
    return message


def test_detail__all_permissions(message: SmsMessage) -> None:
    data = client("view_text", "view_recipient").get(f"{URL}{message.pk}/").json()
    assert (data["reference"], data["resend_of"]) == (f"order {NUMBER}", message.resend_of_id)
    assert data["channels"] == [VIBER]


@pytest.mark.parametrize("path", ["", "detail"])
def test_detail__without_permissions(message: SmsMessage, path: str) -> None:
    response: Any = client().get(f"{URL}{message.pk}/" if path else URL)
    data = response.json() if path else response.json()["results"][0]
    assert data["reference"] == "order 372•••••001"
    assert data["channels"] == [{name: value for name, value in VIBER.items() if name != "text"}]
    assert "1234" not in str(data["channels"])


def test_detail__one_of_the_permissions(message: SmsMessage) -> None:
    reader = client("view_text")
    [channel] = reader.get(f"{URL}{message.pk}/").json()["channels"]
    assert channel == {**VIBER, "text": "Code 1234 for 372•••••001"}
    User.objects.all().delete()
    data = client("view_recipient").get(f"{URL}{message.pk}/").json()
    assert data["reference"] == f"order {NUMBER}"
    assert "text" not in data["channels"][0]


def test_message_of_one_text__has_no_channels() -> None:
    message = SmsMessageFactory.create(text="Code 1234")
    response: Any = client("view_text").get(f"{URL}{message.pk}/")
    assert (response.json()["channels"], response.json()["resend_of"]) == ([], None)
    assert "1234" not in str(response.json()["channels"])


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("reference=order%2037255500001", True),
        ("reference=ORDER%2037255500001", False),
        ("reference=order", False),
        ("resend_of={old}", True),
        ("resend_of=999999999999999999", False),
    ],
)
def test_filters__reference_and_resend_of(message: SmsMessage, query: str, *, matches: bool) -> None:
    response: Any = client().get(f"{URL}?{query.format(old=message.resend_of_id)}")
    assert response.status_code == 200
    assert [row["id"] for row in response.json()["results"]] == ([message.pk] if matches else [])


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 30])
def test_filters__resend_of_is_no_id(value: str) -> None:
    response: Any = client().get(URL, {"resend_of": value})
    assert response.status_code == 400
    assert "is not the id of a message" in str(response.json())
