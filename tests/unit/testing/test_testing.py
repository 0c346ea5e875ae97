"""What the app gives to a project's own tests, under settings that projects have."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import record_signals
from tests.settings import MESSENTE_DLR

pytestmark = pytest.mark.django_db(transaction=True)
BY_POST = {"omnimessage_id": "", "status": "DELIVRD", "err": 0}
SERVED: dict[str, tuple[str, dict[str, Any]]] = {
    "by https alone": ("https://shop.example.com", {"SECURE_SSL_REDIRECT": True}),
    "by http": ("http://127.0.0.1:8000", {}),
    "under a prefix": ("https://shop.example.com/shop/", {}),
    "under a prefix that Django knows of": ("https://shop.example.com/shop", {"FORCE_SCRIPT_NAME": "/shop"}),
}


@pytest.mark.parametrize(("base", "more"), SERVED.values(), ids=SERVED)
def test_a_callback_arrives_however_the_project_is_served(settings: Any, base: str, more: dict[str, Any]) -> None:
    settings.MESSENTE_DLR = {**MESSENTE_DLR, "CALLBACK_BASE_URL": base}
    for name, value in more.items():
        setattr(settings, name, value)
    by_get, by_post, by_webhook = SmsMessageFactory.create_batch(3)
    assert simulate_callback(by_get).status_code == 200
    told = {**BY_POST, "message_id": by_post.sms_unique_id}
    assert simulate_omnichannel_callback(told, url=by_post.callback_url).status_code == 200
    assert simulate_omnichannel_callback({**BY_POST, "message_id": by_webhook.sms_unique_id}).status_code == 200
    assert {message.status for message in SmsMessage.objects.all()} == {"delivered"}


class WithoutPytestTests(TestCase):
    """As the README has it: in a transaction that is never committed."""

    def test_receivers_are_called_where_the_commit_would_be(self) -> None:
        message = SmsMessageFactory.create(metadata={"order": 17})
        with record_signals() as dlr_signals, self.captureOnCommitCallbacks(execute=True):
            simulate_callback(message, "REJECTD", err=7)
        assert "dlr_failed" in dlr_signals.names
        assert dlr_signals.arguments("dlr_failed")["message"] == message

    def test_what_is_sent_later_is_not_recorded(self) -> None:
        with record_signals() as dlr_signals:
            pass
        with self.captureOnCommitCallbacks(execute=True):
            simulate_callback(SmsMessageFactory.create())
        assert dlr_signals == []

    def test_the_sandbox_tells_what_was_sent(self) -> None:
        with Sandbox({"shop": "a-password"}) as sandbox:
            account = {"USERNAME": "shop", "PASSWORD": "a-password", "API_HOSTS": [sandbox.url]}
            with self.settings(MESSENTE_DLR=account):
                send_sms("+37255500000", "Your parcel is here")
        assert sandbox.messages[0].text == "Your parcel is here"
