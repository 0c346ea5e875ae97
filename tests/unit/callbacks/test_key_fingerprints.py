"""Fingerprints show which key verified a report, and reveal nothing else about the key."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.callbacks import callback_url, key_fingerprints
from django_messente_dlr.messente import signatures
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.unit.admin.pages import html, page_url

PAYLOAD = {"message_id": "an-id", "status": "DELIVRD", "err": 0}


def configure(settings: Any, **changes: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **changes}


@pytest.fixture
def message(db: None) -> SmsMessage:
    return SmsMessageFactory.create(sms_unique_id="an-id")


def stored_fingerprints() -> tuple[str, str]:
    report = DeliveryReport.objects.get()
    return report.url_key, report.signature_key


def test_fingerprint__is_short_and_distinct() -> None:
    fingerprints = {key_fingerprints.fingerprint(key) for key in ("a-password", "another-password", b"bytes", "õ")}
    assert len(fingerprints) == 4
    assert all(re.fullmatch(r"[0-9a-f]{8}", value) for value in fingerprints)


def test_fingerprint__depends_on_secret_key(settings: Any) -> None:
    before = key_fingerprints.fingerprint("a-password")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key"
    assert key_fingerprints.fingerprint("a-password") != before
    settings.SECRET_KEY_FALLBACKS = [old]
    assert key_fingerprints.all_fingerprints("a-password") == [key_fingerprints.fingerprint("a-password"), before]


def test_get_callback__stores_url_key(message: SmsMessage, settings: Any) -> None:
    assert simulate_callback(message).status_code == 200
    assert stored_fingerprints() == (key_fingerprints.fingerprint(settings.SECRET_KEY), "")
    assert list(Account.objects.get().key_uses) == [key_fingerprints.fingerprint(settings.SECRET_KEY)]


def test_get_callback__stores_old_url_key(message: SmsMessage, settings: Any) -> None:
    configure(settings, CALLBACK_KEYS=["the old key"])
    path = message.callback_url.removeprefix("https://shop.example.com")
    configure(settings, CALLBACK_KEYS=["a new key", "the old key"])
    assert Client().get(f"{path}?stat=DELIVRD").status_code == 200
    assert stored_fingerprints() == (key_fingerprints.fingerprint("the old key"), "")


@pytest.mark.parametrize(
    ("passwords", "password"),
    [
        ({"PASSWORD": "a-password"}, "a-password"),
        ({"PASSWORD": "a-new-one", "PREVIOUS_PASSWORDS": ["", "older", "a-password"]}, "a-password"),
    ],
)
@pytest.mark.parametrize("with_url", [True, False])
def test_post_callback__stores_signing_password(
    message: SmsMessage, settings: Any, passwords: dict[str, Any], password: str, *, with_url: bool
) -> None:
    url = callback_url() if with_url else ""
    # Messente signs with the key that sent the message. The site may have a newer password by then.
    content = b'{"message_id": "an-id", "status": "DELIVRD", "err": 0}'
    signature = signatures.sign(content, password)
    configure(settings, ACCOUNTS={"default": {"USERNAME": "shop", **passwords}})
    path = url.removeprefix("https://shop.example.com") or "/messente/dlr/"
    response = Client().post(path, content, content_type="application/json", headers={signatures.HEADER: signature})
    assert response.status_code == 200
    url_key = key_fingerprints.fingerprint(settings.SECRET_KEY) if with_url else ""
    assert stored_fingerprints() == (url_key, key_fingerprints.fingerprint(password))
    assert set(Account.objects.get().key_uses) == {key for key in stored_fingerprints() if key}


@pytest.mark.django_db
def test_key_uses__stores_last_use_of_each_key() -> None:
    start = timezone.now()
    for minutes, key in enumerate(["old", "new", "new"]):
        accounts.record_callback("default", now=start + timedelta(minutes=2 * minutes), keys=[key])
    assert Account.objects.get().key_uses == {
        "old": start.isoformat(timespec="seconds"),
        "new": (start + timedelta(minutes=4)).isoformat(timespec="seconds"),
    }


@pytest.mark.django_db
def test_key_uses__stores_second_key_within_a_minute() -> None:
    now = timezone.now()
    for key in ("old", "new", "old"):
        accounts.record_callback("default", now=now, keys=[key])
    assert set(Account.objects.get().key_uses) == {"old", "new"}


def test_admin__shows_fingerprints_and_no_key(message: SmsMessage, settings: Any, admin_client: Client) -> None:
    assert simulate_omnichannel_callback(PAYLOAD, url=message.callback_url).status_code == 200
    for row in (DeliveryReport.objects.get(), Account.objects.get()):
        page = html(admin_client, page_url(row))
        for key in (settings.SECRET_KEY, "a-password"):
            assert key_fingerprints.fingerprint(key) in page
            assert key not in page
