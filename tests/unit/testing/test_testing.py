"""The test helpers for projects, with various settings of a project."""

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
OMNICHANNEL_PAYLOAD = {"omnimessage_id": "", "status": "DELIVRD", "err": 0}
PROJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "https only": ("https://shop.example.com", {"SECURE_SSL_REDIRECT": True}),
    "http": ("http://127.0.0.1:8000", {}),
    "prefix": ("https://shop.example.com/shop/", {}),
    "FORCE_SCRIPT_NAME": ("https://shop.example.com/shop", {"FORCE_SCRIPT_NAME": "/shop"}),
}


@pytest.mark.parametrize(("base_url", "project_settings"), PROJECTS.values(), ids=PROJECTS)
def test_simulate_callback__accepted(settings: Any, base_url: str, project_settings: dict[str, Any]) -> None:
    settings.MESSENTE_DLR = {**MESSENTE_DLR, "CALLBACK_BASE_URL": base_url}
    for name, value in project_settings.items():
        setattr(settings, name, value)
    by_get, by_post, by_webhook = SmsMessageFactory.create_batch(3)
    assert simulate_callback(by_get).status_code == 200
    payload = {**OMNICHANNEL_PAYLOAD, "message_id": by_post.sms_unique_id}
    assert simulate_omnichannel_callback(payload, url=by_post.callback_url).status_code == 200
    assert (
        simulate_omnichannel_callback({**OMNICHANNEL_PAYLOAD, "message_id": by_webhook.sms_unique_id}).status_code
        == 200
    )
    assert {message.status for message in SmsMessage.objects.all()} == {"delivered"}


class WithoutPytestTests(TestCase):
    """As in the tutorial: tests inside a transaction that is never committed."""

    def test_record_signals__captured_on_commit_callbacks(self) -> None:
        message = SmsMessageFactory.create(metadata={"order": 17})
        with record_signals() as dlr_signals, self.captureOnCommitCallbacks(execute=True):
            simulate_callback(message, "REJECTD", err=7)
        assert "dlr_failed" in dlr_signals.names
        assert dlr_signals.arguments("dlr_failed")["message"] == message

    def test_record_signals__signal_after_block(self) -> None:
        with record_signals() as dlr_signals:
            pass
        with self.captureOnCommitCallbacks(execute=True):
            simulate_callback(SmsMessageFactory.create())
        assert dlr_signals == []

    def test_sandbox__messages(self) -> None:
        with Sandbox({"shop": "a-password"}) as sandbox:
            account = {"USERNAME": "shop", "PASSWORD": "a-password", "OMNICHANNEL_URL": f"{sandbox.url}/v1"}
            with self.settings(MESSENTE_DLR=account):
                send_sms("+37255500000", "Your parcel is here")
        assert sandbox.messages[0].text == "Your parcel is here"
