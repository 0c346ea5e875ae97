"""The ids of Messente are opaque: two ids that differ only in case identify two messages, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_messente_dlr import callbacks
from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.callbacks import simulate_omnichannel_callback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("id_field", ["sms_unique_id", "omnimessage_id"])
def test_ids__differing_only_in_case_are_two_messages(id_field: str) -> None:
    ids: list[dict[str, Any]] = [{id_field: "an-id"}, {id_field: "AN-ID"}]
    lower, upper = (track_sms(**arguments) for arguments in ids)
    assert lower != upper
    report = {"message_id": "", "omnimessage_id": "", "status": "DELIVRD", "err": 0}
    payload = {**report, id_field.replace("sms_unique", "message"): "AN-ID"}
    assert simulate_omnichannel_callback(payload).status_code == 200
    for message in (lower, upper):
        message.refresh_from_db()
    assert (lower.status, upper.status) == ("sent", "delivered")


def test_orphan__matches_only_an_id_of_the_same_case() -> None:
    path = callbacks.callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "AN-ID", "stat": "DELIVRD"}).status_code == 200
    assert track_sms("an-id").status == "sent"
    assert DeliveryReport.objects.get().message is None
    upper = track_sms("AN-ID")
    upper.refresh_from_db()
    assert upper.status == "delivered"
