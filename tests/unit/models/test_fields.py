"""Messente's ids are opaque: two that differ by case alone are those of two messages, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_messente_dlr import callbacks
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.callbacks import simulate_omnichannel_callback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("by", ["sms_unique_id", "omnimessage_id"])
def test_two_ids_that_differ_by_case_are_two_messages(by: str) -> None:
    ids: list[dict[str, Any]] = [{by: "an-id"}, {by: "AN-ID"}]
    lower, upper = (track_sms(**told) for told in ids)
    assert lower != upper
    report = {"message_id": "", "omnimessage_id": "", "status": "DELIVRD", "err": 0}
    assert simulate_omnichannel_callback({**report, by.replace("sms_unique", "message"): "AN-ID"}).status_code == 200
    for message in (lower, upper):
        message.refresh_from_db()
    assert (lower.status, upper.status) == ("sent", "delivered")


def test_an_orphan_waits_for_the_message_of_its_own_id() -> None:
    path = callbacks.callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "AN-ID", "stat": "DELIVRD"}).status_code == 200
    assert track_sms("an-id").status == "sent"
    assert DeliveryReport.objects.get().message is None
    upper = track_sms("AN-ID")
    upper.refresh_from_db()
    assert upper.status == "delivered"
