"""A primary key that comes again, as after a restored backup: the old callback URL does not change the new row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as conf_settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from django_messente_dlr import receiving
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import mark_sent, prepare_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
ONE_MICROSECOND = timedelta(microseconds=1)


def get(url: str, stat: str = "DELIVRD", **parameters: str) -> HttpResponse:
    path = url.removeprefix("https://shop.example.com")
    return Client().get(path, {"stat": stat, **parameters})  # type: ignore[return-value]


def post(url: str, **ids: str) -> HttpResponse:
    return simulate_omnichannel_callback({"message_id": "an-id", "status": "DELIVRD", "err": 0, **ids}, url=url)


def replace(message: SmsMessage, **values: Any) -> SmsMessage:
    """Delete a message, and return another one that has its primary key."""
    pk, created_at = message.pk, message.created_at + ONE_MICROSECOND
    SmsMessage.objects.filter(pk=pk).delete()
    return SmsMessageFactory.create(pk=pk, created_at=created_at, **values)


SENT = {"sms_unique_id": "an-id"}
QUEUED = {"queued": True}
OMNIMESSAGE = {"sms_unique_id": None, "omnimessage_id": "an-omni-id"}
CALLBACKS: dict[str, Callable[[str], HttpResponse]] = {
    "GET": lambda url: get(url, sms_unique_id="an-id"),
    "GET of a failure": lambda url: get(url, "UNDELIV", sms_unique_id="an-id", err="1"),
    "GET without an id": get,
    "GET of another id": lambda url: get(url, sms_unique_id="an-old-id"),
    "POST": post,
    "POST of an omnimessage": lambda url: post(url, omnimessage_id="an-omni-id"),
}


@pytest.mark.parametrize("values", [SENT, QUEUED, OMNIMESSAGE])
@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.usefixtures("each_path")
def test_url_of_an_earlier_row__stores_an_orphan(callback: str, values: dict[str, Any]) -> None:
    earlier = prepare_sms(NUMBER)
    message = replace(earlier, **values)
    before = SmsMessage.objects.values().get()
    assert CALLBACKS[callback](earlier.callback_url).status_code == 200
    orphan = DeliveryReport.objects.get()
    assert (orphan.outcome, orphan.message, orphan.token_message_id) == ("orphan", None, message.pk)
    assert orphan.token_created_at == earlier.created_at
    assert receiving.match_orphans() == receiving.match_orphans_of(message) == sweep().matched == 0
    assert SmsMessage.objects.values().get() == before
    assert CALLBACKS[callback](earlier.callback_url).status_code == 200
    assert DeliveryReport.objects.get().times_received == 2


@pytest.mark.parametrize("parameters", [{}, {"sms_unique_id": "an-id"}])
def test_orphan_of_an_earlier_row__is_not_matched_with_the_next_row(parameters: dict[str, str]) -> None:
    """The report arrives after the backup was restored and before the primary key comes again."""
    earlier = prepare_sms(NUMBER)
    SmsMessage.objects.all().delete()
    assert get(earlier.callback_url, **parameters).status_code == 200
    message = replace(earlier, queued=True)
    assert receiving.match_orphans() == 0
    mark_sent(message, "another-id")
    assert (message.status, message.reports.count()) == ("sent", 0)


def test_report_without_an_id__is_not_a_duplicate_of_the_earlier_row() -> None:
    earlier = prepare_sms(NUMBER)
    message = replace(earlier, queued=True)
    assert get(earlier.callback_url).status_code == 200
    assert get(message.callback_url).status_code == 200
    message.refresh_from_db()
    assert message.status == "delivered"
    assert DeliveryReport.objects.orphans().count() == 1


def test_record_final__is_not_a_duplicate_of_the_earlier_row() -> None:
    message = prepare_sms(NUMBER)
    for _ in range(2):
        receiving.record_final(message, Report(source=Source.SEND, error_text="Refused."), Status.REJECTED)
        DeliveryReport.objects.update(message=None, outcome="orphan")
        assert SmsMessage.objects.get().status == "rejected"
        message = replace(message, queued=True)


def test_duplicate_at_an_earlier_url__does_not_give_an_orphan_to_the_new_row() -> None:
    earlier = prepare_sms(NUMBER)
    message = replace(earlier, queued=True)
    assert simulate_omnichannel_callback({"message_id": "an-id", "status": "DELIVRD", "err": 0}).status_code == 200
    assert post(earlier.callback_url).status_code == 200
    orphan = DeliveryReport.objects.get()
    assert (orphan.times_received, orphan.token_created_at) == (2, earlier.created_at)
    assert receiving.match_orphans() == 0
    assert post(message.callback_url).status_code == 200
    assert SmsMessage.objects.get().status == "queued"


def test_polled_row__that_was_replaced_meanwhile_is_unchanged() -> None:
    polled = SmsMessageFactory.create(sms_unique_id="an-id")
    message = replace(polled, sms_unique_id="an-id")
    report = Report(source=Source.POLL, sms_unique_id="an-id", stat="DELIVRD")
    receiving.record(report, account="default", message_key=polled.callback_key)
    message.refresh_from_db()
    assert message.status == "sent"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite uses the primary key again")
def test_url_after_a_rollback__does_not_change_the_next_message() -> None:
    with transaction.atomic():
        lost = prepare_sms(NUMBER)
        transaction.set_rollback(True)
    message = prepare_sms(NUMBER)
    assert message.pk == lost.pk
    assert get(lost.callback_url).status_code == 200
    message.refresh_from_db()
    assert message.status == "queued"


TIMES = [
    "2024-05-06T07:08:09Z",
    "2024-05-06T07:08:09.000001Z",
    "2024-05-06T07:08:09.999999Z",
    "2024-10-27T00:30:00.5Z",  # 3:30 in Tallinn, which occurs again an hour later
    "2024-10-27T01:30:00.5Z",
    "2037-12-31T23:59:59.999999Z",
    "1971-01-01T00:00:00Z",
]


@pytest.fixture(params=TIMES)
def created_at(request: pytest.FixtureRequest) -> datetime:
    """Return a time as `timezone.now` returns it: without USE_TZ naive, local and with the fold."""
    moment = datetime.fromisoformat(request.param)
    return moment if conf_settings.USE_TZ else timezone.make_naive(moment)


@pytest.fixture(params=[True, False])
def use_tz(request: pytest.FixtureRequest, settings: Any) -> None:
    settings.USE_TZ = request.param


@pytest.mark.usefixtures("each_path")
def test_url__is_valid_for_the_stored_row(use_tz: None, created_at: datetime) -> None:
    """No database rounds the time, and a local time that occurs twice is compared as it is."""
    message = SmsMessageFactory.create(created_at=created_at, sms_unique_id="an-id")
    assert SmsMessage.objects.get().callback_url == message.callback_url
    assert get(message.callback_url, sms_unique_id="an-id").status_code == 200
    assert SmsMessage.objects.get().status == "delivered"


def test_orphan__is_matched_with_its_own_row(use_tz: None, created_at: datetime) -> None:
    message = SmsMessageFactory.create(created_at=created_at, queued=True)
    url, pk = message.callback_url, message.pk
    message.delete()
    assert get(url).status_code == 200
    message.pk = pk
    message.save(force_insert=True)
    assert receiving.match_orphans() == 1
    orphan = DeliveryReport.objects.get()
    assert (SmsMessage.objects.get().status, orphan.message) == ("delivered", message)
    assert (orphan.token_message_id, orphan.token_created_at) == (None, None)


@pytest.mark.parametrize("created_at", ["2024-05-06T07:08:09.5Z", "2024-05-06 10:08:09.5"])
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_url__of_a_row_created_with_text_as_its_time(created_at: str) -> None:
    message = SmsMessage.objects.create(created_at=created_at)
    assert message.callback_url == SmsMessage.objects.get().callback_url
    assert simulate_callback(message, sms_unique_id="an-id").status_code == 200
    assert SmsMessage.objects.get().status == "delivered"
