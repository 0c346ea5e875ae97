"""Key rotation: which key verified a report is to be seen, and nothing of the key itself."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.callbacks import callback_url, key_fingerprints
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


def verified_by() -> tuple[str, str]:
    report = DeliveryReport.objects.get()
    return report.url_key, report.signature_key


def test_a_fingerprint_is_short_and_tells_keys_apart() -> None:
    shown = {key_fingerprints.fingerprint(key) for key in ("a-password", "another-password", b"bytes", "õ")}
    assert len(shown) == 4
    assert all(re.fullmatch(r"[0-9a-f]{8}", text) for text in shown)


def test_a_fingerprint_can_be_tried_out_only_by_who_has_the_secret_key(settings: Any) -> None:
    before = key_fingerprints.fingerprint("a-password")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key"
    assert key_fingerprints.fingerprint("a-password") != before
    settings.SECRET_KEY_FALLBACKS = [old]
    assert key_fingerprints.all_fingerprints("a-password") == [key_fingerprints.fingerprint("a-password"), before]


def test_a_get_callback_tells_the_key_of_its_url(message: SmsMessage, settings: Any) -> None:
    assert simulate_callback(message).status_code == 200
    assert verified_by() == (key_fingerprints.fingerprint(settings.SECRET_KEY), "")
    assert list(Account.objects.get().key_uses) == [key_fingerprints.fingerprint(settings.SECRET_KEY)]


def test_a_url_of_an_old_key_tells_that_key(message: SmsMessage, settings: Any) -> None:
    configure(settings, CALLBACK_KEYS=["the old key"])
    path = message.callback_url.removeprefix("https://shop.example.com")
    configure(settings, CALLBACK_KEYS=["a new key", "the old key"])
    assert Client().get(f"{path}?stat=DELIVRD").status_code == 200
    assert verified_by() == (key_fingerprints.fingerprint("the old key"), "")


@pytest.mark.parametrize(
    ("live", "signed_by"),
    [
        ({"PASSWORD": "a-password"}, "a-password"),
        ({"PASSWORD": "a-new-one", "PREVIOUS_PASSWORDS": ["", "older", "a-password"]}, "a-password"),
    ],
)
@pytest.mark.parametrize("with_url", [True, False])
def test_a_post_tells_the_password_that_signed_it(
    message: SmsMessage, settings: Any, live: dict[str, Any], signed_by: str, *, with_url: bool
) -> None:
    url = callback_url() if with_url else ""
    body = {"USERNAME": "shop"}
    configure(settings, ACCOUNTS={"default": {**body, "PASSWORD": signed_by}})
    # Messente signs with the key that sent the message, while we have moved on to another.
    from django_messente_dlr.messente import signatures

    content = b'{"message_id": "an-id", "status": "DELIVRD", "err": 0}'
    signature = signatures.sign(content, signed_by)
    configure(settings, ACCOUNTS={"default": {**body, **live}})
    path = url.removeprefix("https://shop.example.com") or "/messente/dlr/"
    response = Client().post(path, content, content_type="application/json", headers={signatures.HEADER: signature})
    assert response.status_code == 200
    url_key = key_fingerprints.fingerprint(settings.SECRET_KEY) if with_url else ""
    assert verified_by() == (url_key, key_fingerprints.fingerprint(signed_by))
    assert set(Account.objects.get().key_uses) == {key for key in verified_by() if key}


@pytest.mark.django_db
def test_each_key_has_the_time_of_its_last_use() -> None:
    start = timezone.now()
    for minutes, used in enumerate(["old", "new", "new"]):
        accounts.record_callback("default", now=start + timedelta(minutes=2 * minutes), keys=[used])
    assert Account.objects.get().key_uses == {
        "old": start.isoformat(timespec="seconds"),
        "new": (start + timedelta(minutes=4)).isoformat(timespec="seconds"),
    }


@pytest.mark.django_db
def test_a_key_that_was_just_noted_does_not_keep_another_from_being_noted() -> None:
    now = timezone.now()
    for used in ("old", "new", "old"):
        accounts.record_callback("default", now=now, keys=[used])
    assert set(Account.objects.get().key_uses) == {"old", "new"}


def test_the_admin_shows_fingerprints_and_no_key(message: SmsMessage, settings: Any, admin_client: Client) -> None:
    assert simulate_omnichannel_callback(PAYLOAD, url=message.callback_url).status_code == 200
    for row in (DeliveryReport.objects.get(), Account.objects.get()):
        page = html(admin_client, page_url(row))
        for key in (settings.SECRET_KEY, "a-password"):
            assert key_fingerprints.fingerprint(key) in page
            assert key not in page
