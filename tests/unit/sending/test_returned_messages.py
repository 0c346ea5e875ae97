"""The message that a public function returns is the stored row, with the caller's unsaved changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
import responses
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from django_messente_dlr import callbacks
from django_messente_dlr.exceptions import MessageNotSent, OutcomeUnknown
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sending import mark_sent, prepare_sms, send_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.isolation import close_connection

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"
URL = "http://127.0.0.1:9/send_sms/"


@pytest.fixture
def mocked_responses() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def receive_orphan(stat: str = "DELIVRD") -> None:
    path = callbacks.callback_url().removeprefix("https://shop.example.com")
    assert Client().get(path, {"sms_unique_id": "an-id", "stat": stat}).status_code == 200


def differences(message: SmsMessage) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ between a message and its row, and the time of the next poll if it does."""
    row = SmsMessage.objects.get(pk=message.pk)
    names = [*(field.attname for field in SmsMessage._meta.concrete_fields), "next_poll_at"]
    values = {name: (getattr(message, name), getattr(row, name)) for name in names}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def send(mock: responses.RequestsMock) -> SmsMessage:
    mock.post(URL, "OK an-id")
    return send_sms(NUMBER, "Hello")


def send_and_fail(mock: responses.RequestsMock) -> Any:
    mock.post(URL, "ERROR 111")
    with pytest.raises(MessageNotSent) as raised:
        send_sms(NUMBER, "Hello")
    return raised.value.sms_message


RETURNING: dict[str, Callable[[responses.RequestsMock], SmsMessage]] = {
    "send_sms": send,
    "send_sms, refused": send_and_fail,
    "prepare_sms": lambda mock: prepare_sms(NUMBER, metadata={"order": 17}),
    "mark_sent": lambda mock: mark_sent(prepare_sms(NUMBER), "an-id"),
    "mark_sent twice": lambda mock: mark_sent(mark_sent(prepare_sms(NUMBER), "an-id"), "an-id"),
    "track_sms": lambda mock: track_sms("an-id", recipient=NUMBER),
    "track_sms twice": lambda mock: [track_sms("an-id"), track_sms("an-id")][1],
    "track_sms of an omnimessage": lambda mock: track_sms(omnimessage_id="an-omni-id"),
    "create": lambda mock: SmsMessage.objects.create(recipient=NUMBER),
}


@pytest.mark.parametrize("stat", ["", "UNDELIV", "DELIVRD"])
@pytest.mark.parametrize("function", RETURNING)
def test_returned_message__is_the_row(stat: str, function: str) -> None:
    """Also if a report arrived before the message was stored."""
    if stat:
        receive_orphan(stat)
    with responses.RequestsMock() as mock:
        message = RETURNING[function](mock)
    assert differences(message) == {}


@pytest.mark.parametrize("function", ["mark_sent", "track_sms"])
def test_returned_message__has_the_status_of_an_orphan(function: str) -> None:
    receive_orphan()
    with responses.RequestsMock() as mock:
        assert RETURNING[function](mock).status == "delivered"


@pytest.mark.parametrize("function", ["mark_sent", "track_sms"])
def test_returned_message__is_the_row_after_the_callers_transaction(function: str) -> None:
    receive_orphan()
    with responses.RequestsMock() as mock, transaction.atomic():
        message = RETURNING[function](mock)
        assert differences(message) == {}
    assert (message.status, differences(message)) == ("delivered", {})


def test_prepared_message__has_the_status_of_its_orphan() -> None:
    """Another process handed out the URL before the commit, and the report arrived first."""
    with transaction.atomic():
        message = prepare_sms(NUMBER)
        url, pk, created_at = message.callback_url, message.pk, message.created_at
        transaction.set_rollback(True)
    assert Client().get(url.removeprefix("https://shop.example.com"), {"stat": "DELIVRD"}).status_code == 200
    message.pk = pk
    message.created_at = created_at
    message.save(force_insert=True)
    with transaction.atomic():
        mark_sent(message, "an-id")
    assert (message.status, differences(message)) == ("delivered", {})


def test_send_sms__uncertain_message_has_the_status_of_its_report(mocked_responses: responses.RequestsMock) -> None:
    def deliver_and_time_out(request: requests.PreparedRequest) -> Any:
        simulate_callback(SmsMessage.objects.get(), sms_unique_id="an-id")
        close_connection()  # the request is made in a thread, which has its own connection
        raise requests.ReadTimeout

    mocked_responses.add_callback("POST", URL, deliver_and_time_out)
    with pytest.raises(OutcomeUnknown) as raised:
        send_sms(NUMBER, "Hello")
    assert raised.value.sms_message.status == "delivered"
    assert differences(raised.value.sms_message) == {}


@pytest.mark.parametrize("early_stat", ["", "DELIVRD"])
def test_mark_sent__keeps_unsaved_changes_unsaved(early_stat: str) -> None:
    message = prepare_sms(NUMBER, metadata={"order": 17})
    message.metadata["paid"] = True
    message.text, message.sender = "Hello", "Shop"
    if early_stat:
        simulate_callback(message, early_stat, sms_unique_id="an-id")
    mark_sent(message, "an-id")
    assert (message.metadata, message.text, message.sender) == ({"order": 17, "paid": True}, "Hello", "Shop")
    assert set(differences(message)) == {"metadata", "text", "sender"}
    message.save()
    assert differences(message) == {}


def test_mark_sent__does_not_load_deferred_columns() -> None:
    message = SmsMessage.objects.defer("text", "metadata").get(pk=prepare_sms(NUMBER).pk)
    mark_sent(message, "an-id")
    assert message.get_deferred_fields() == {"text", "metadata"}


@pytest.mark.parametrize("report", ["", "UNDELIV", "DELIVRD"])
def test_mark_sent__again_with_the_same_id_changes_nothing(report: str) -> None:
    message = mark_sent(prepare_sms(NUMBER), "an-id", sent_at=timezone.now() - timedelta(hours=1))
    if report:
        simulate_callback(message, report)
    before = SmsMessage.objects.values().get(), list(PendingPoll.objects.values())
    mark_sent(message, "an-id")
    mark_sent(message, " an-id\n", sent_at=timezone.now())
    assert (SmsMessage.objects.values().get(), list(PendingPoll.objects.values())) == before
    assert differences(message) == {}


def test_mark_sent__again_after_unresolved_does_not_poll_again() -> None:
    message = mark_sent(prepare_sms(NUMBER), "an-id")
    PendingPoll.objects.all().delete()
    SmsMessage.objects.update(status="unresolved", rank=20)
    mark_sent(message, "an-id")
    assert (message.status, PendingPoll.objects.count()) == ("unresolved", 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"sms_unique_id": "an-id"}, {"sms_unique_id": "another-id"}),
        ({"omnimessage_id": "an-omni-id"}, {"omnimessage_id": "another-omni-id"}),
        ({"omnimessage_id": "an-omni-id"}, {"sms_unique_id": "an-id", "omnimessage_id": "another-omni-id"}),
        ({"sms_unique_id": "an-id"}, {"sms_unique_id": "another-id", "omnimessage_id": "an-omni-id"}),
        ({"sms_unique_id": "an-id"}, {"sms_unique_id": "AN-ID"}),
    ],
)
@pytest.mark.parametrize("stale", [False, True])
def test_mark_sent__with_another_id_raises(first: dict[str, Any], second: dict[str, Any], *, stale: bool) -> None:
    message = prepare_sms(NUMBER)
    instance = SmsMessage.objects.get() if stale else message
    mark_sent(message, **first)
    before = SmsMessage.objects.values().get()
    with pytest.raises(ValueError, match=r"was already sent with the id an-.*id\. Call prepare_sms for each message"):
        mark_sent(instance, **second)
    assert SmsMessage.objects.values().get() == before
    assert differences(instance) == {}


def test_mark_sent__does_not_replace_the_id_of_an_early_report() -> None:
    message = prepare_sms(NUMBER)
    assert simulate_callback(message, "ACCEPTD", sms_unique_id="an-id").status_code == 200
    with pytest.raises(ValueError, match="already sent with the id an-id"):
        mark_sent(message, "another-id")
    assert SmsMessage.objects.get().sms_unique_id == "an-id"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"omnimessage_id": "an-omni-id"}, {"sms_unique_id": "an-id"}),
        ({"omnimessage_id": "an-omni-id"}, {"sms_unique_id": "an-id", "omnimessage_id": "an-omni-id"}),
        ({"sms_unique_id": "an-id"}, {"omnimessage_id": "an-omni-id"}),
    ],
)
def test_mark_sent__fills_a_missing_id(first: dict[str, Any], second: dict[str, Any]) -> None:
    message = mark_sent(prepare_sms(NUMBER), **first)
    sent_at = message.sent_at
    mark_sent(message, **second)
    assert (message.sms_unique_id, message.omnimessage_id) == ("an-id", "an-omni-id")
    assert message.sent_at == sent_at
    assert differences(message) == {}


def test_mark_sent__filled_id_matches_its_orphan() -> None:
    message = mark_sent(prepare_sms(NUMBER), omnimessage_id="an-omni-id")
    receive_orphan()
    assert mark_sent(message, "an-id").status == "delivered"


def test_mark_sent__id_of_another_message_leaves_the_message_unchanged() -> None:
    SmsMessageFactory.create(sms_unique_id="taken")
    message = prepare_sms(NUMBER)
    with pytest.raises(ValueError, match="already belongs to another message"):
        mark_sent(message, "taken")
    assert differences(message) == {}


def test_mark_sent__deleted_message_raises() -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.all().delete()
    with pytest.raises(SmsMessage.DoesNotExist):
        mark_sent(message, "an-id")


def test_track_sms__again_changes_nothing() -> None:
    track_sms("an-id", recipient=NUMBER, metadata={"order": 17})
    simulate_callback(SmsMessage.objects.get())
    before = SmsMessage.objects.values().get()
    message = track_sms("an-id", recipient="+37255500001", metadata={"order": 18}, sent_at=timezone.now())
    assert (message.status, message.metadata) == ("delivered", {"order": 17})
    assert SmsMessage.objects.values().get() == before


@pytest.mark.parametrize("values", [{}, {"sms_unique_id": ""}, {"sms_unique_id": "", "metadata": {"order": 17}}])
def test_created_message__is_usable(values: dict[str, Any]) -> None:
    """A row that the project creates itself belongs to the default account, and its callback URL is valid."""
    message, other = SmsMessage.objects.create(**values), SmsMessage.objects.create(**values)
    assert (message.account, message.sms_unique_id, differences(message)) == ("default", None, {})
    assert simulate_callback(message, "ACCEPTD", sms_unique_id="an-id").status_code == 200
    assert mark_sent(message, "an-id").status == "sent"
    assert mark_sent(other, "another-id").next_poll_at is not None
    assert differences(other) == {}


def test_update_fields__saves_only_these() -> None:
    message = mark_sent(prepare_sms(NUMBER), "an-id")
    stale = SmsMessage.objects.get()
    simulate_omnichannel_callback({"message_id": "an-id", "status": "UNDELIV", "err": 1, "channel": "viber"})
    stale.metadata, stale.sender = {"order": 18}, "Shop"
    stale.save(update_fields=["metadata"])
    row = SmsMessage.objects.get(pk=message.pk)
    assert (row.metadata, row.sender, row.status, row.channel) == ({"order": 18}, "", "failed", "viber")
    assert DeliveryReport.objects.count() == 1


def test_mark_sent__failure_of_the_database_keeps_unsaved_changes() -> None:
    message = prepare_sms(NUMBER)
    message.metadata = {"order": 18}

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise DatabaseError("full")
        return execute(sql, *args)

    mark = partial(mark_sent, message, "an-id")
    with transaction.get_connection().execute_wrapper(fail), pytest.raises(DatabaseError, match="full"):
        mark()
    assert (message.metadata, message.sms_unique_id) == ({"order": 18}, None)
    assert mark().status == "sent"


@pytest.mark.parametrize("count", [0, -1, True, "2", 2.0, 40_000])
def test_mark_sent__channel_count_is_a_number_of_channels(count: Any) -> None:
    message = prepare_sms(NUMBER)
    with pytest.raises(ValueError, match="channel_count must be a number of channels from 1 to 32767"):
        mark_sent(message, omnimessage_id="an-omni-id", channel_count=count)
    assert SmsMessage.objects.get().status == "queued"


@pytest.mark.parametrize("early_report", ["", "ACCEPTD", "DELIVRD"])
def test_mark_sent__channel_count_is_stored(early_report: str) -> None:
    message = prepare_sms(NUMBER)
    if early_report:
        simulate_callback(message, early_report, sms_unique_id="an-id")
    mark_sent(message, "an-id", channel_count=2)
    assert (message.channel_count, SmsMessage.objects.get().channel_count) == (2, 2)
    assert message.send_at is not None
    assert message.sent_at is not None
    # An early report has proved that the message was sent.
    assert message.send_at < message.sent_at if early_report else message.send_at == message.sent_at
    mark_sent(message, "an-id")
    assert SmsMessage.objects.get().channel_count == 2
    assert differences(message) == {}


def test_mark_sent__keeps_the_time_for_which_the_message_was_scheduled() -> None:
    message, at = prepare_sms(NUMBER), timezone.now() + timedelta(days=1)
    mark_sent(message, "an-id", sent_at=at)
    mark_sent(message, "an-id", sent_at=timezone.now())
    assert (message.send_at, message.sent_at) == (at, at)
