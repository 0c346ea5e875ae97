"""The values of messages: one spelling of a number, the length of texts, and what no database may refuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import Sms, Viber, prepare_sms, send_message, send_prepared, send_sms, track_sms
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.unit.messente.storable import json_values, unhurried

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+37255500000"


def send_channel(to: Any, *, sender: Any, **arguments: Any) -> SmsMessage:
    return send_message(to, [Sms("Hello", sender=sender)], **arguments)


def functions(to: Any = NUMBER, **arguments: Any) -> list[Callable[[], SmsMessage]]:
    """Return a call of each function that creates a row. Each call has a new id."""
    new_id = uuid.uuid4().hex
    others = {name: value for name, value in arguments.items() if name != "sender"}
    return [
        partial(send_sms, to, "Hello", **arguments),
        partial(send_channel, to, sender=arguments.get("sender", ""), **others),
        partial(prepare_sms, to, **arguments),
        partial(track_sms, new_id, recipient=to, **arguments),
    ]


@pytest.mark.parametrize("to", [37255500000, "37255500000", "(+372) 5550-0000", "\u202a+372\u00a055500000\u202c"])
def test_recipient__one_spelling_is_stored_and_sent(messente_sandbox: Sandbox, to: Any) -> None:
    assert {function().recipient for function in functions(to)} == {NUMBER}
    assert {message.recipient for message in messente_sandbox.messages} == {NUMBER}
    assert SmsMessage.objects.for_recipient(NUMBER).count() == 4


@pytest.mark.parametrize("to", [37255500000.0, b"+37255500000", "+44 (0)20 7946 0000", "5550 0000", "+37255O00000"])
def test_recipient__refused_by_each_function(messente_sandbox: Sandbox, to: Any) -> None:
    for function in functions(to):
        with pytest.raises(ValueError, match=r"phone number|a country code"):
            function()
    assert_nothing_stored_or_sent(messente_sandbox)


def test_recipient__is_optional_for_track_sms() -> None:
    assert track_sms("an-id").recipient == track_sms("other-id", recipient=" ").recipient == ""


def test_recipient__national_number_of_the_region(messente_sandbox: Sandbox, settings: Any) -> None:
    pytest.importorskip("phonenumbers")
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DEFAULT_REGION": "EE"}
    assert {function().recipient for function in functions("5550 0000")} == {NUMBER}
    assert {message.recipient for message in messente_sandbox.messages} == {NUMBER}


@pytest.mark.parametrize("stored", ["37255500000", "0037255500000", "+37255500000"])
def test_send_prepared__row_of_an_older_version(messente_sandbox: Sandbox, stored: str) -> None:
    message = prepare_sms(NUMBER)
    message.recipient = stored
    message.save()
    send_prepared(message, "Hello")
    assert [sent.recipient for sent in messente_sandbox.messages] == [NUMBER]


@pytest.mark.parametrize(
    ("text", "limit", "sentence"),
    [
        ("a" * 1531, 10, "has 11 parts as an SMS: 1531 characters in GSM-7. .* allows 10, which is 1530 characters"),
        ("õ" * 671, 10, "has 11 parts as an SMS: 671 characters in UCS-2. .* allows 10, which is 670 characters"),
        ("a" * 161, 1, "has 2 parts as an SMS: 161 characters in GSM-7. .* allows 1, which is 160 characters"),
    ],
)
def test_max_parts__longer_text_is_refused(
    messente_sandbox: Sandbox, settings: Any, text: str, limit: int, sentence: str
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "MAX_PARTS": limit}
    prepared = prepare_sms(NUMBER)
    for function in (
        partial(send_sms, NUMBER, text),
        partial(send_message, NUMBER, [Viber("Hello"), Sms(text)]),
        partial(prepare_sms, NUMBER, text=text),
        partial(send_prepared, prepared, text),
    ):
        with pytest.raises(ValueError, match=sentence):
            function()
    assert SmsMessage.objects.get() == prepared
    assert messente_sandbox.messages == ()
    send_sms(NUMBER, text[:-1])
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "MAX_PARTS": limit + 1}
    send_sms(NUMBER, text)
    assert len(messente_sandbox.messages) == 2


def test_max_parts__other_channels_have_no_parts(messente_sandbox: Sandbox) -> None:
    send_message(NUMBER, [Viber("a" * 1531)])
    prepare_sms(NUMBER, text="a" * 1531, channel="viber")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"metadata": {"note": "a\0b"}}, r"metadata\['note'\] contains a NUL character at index 1"),
        ({"metadata": {"a\0b": 1}}, "A key of metadata contains a NUL character at index 1"),
        (
            {"metadata": {"items": [{"name": "\ud83d"}]}},
            r"metadata\['items'\]\[0\]\['name'\] contains half a character",
        ),
        ({"metadata": {"\udfff": 1}}, "A key of metadata contains half a character"),
        ({"metadata": {"price": float("nan")}}, r"metadata\['price'\] is nan, which JSON does not have. Store None"),
        ({"metadata": {"price": [float("-inf")]}}, r"metadata\['price'\]\[0\] is -inf"),
        (
            {"metadata": {"order": uuid.UUID(int=1)}},
            r"\['order'\] is of type UUID, which is not JSON. Store str\(\) of",
        ),
        ({"metadata": {"price": Decimal("0.1")}}, "is of type Decimal"),
        ({"metadata": {"at": datetime(2030, 1, 1, tzinfo=UTC)}}, "is of type datetime"),
        ({"metadata": {"raw": b"x"}}, "is of type bytes"),
        ({"metadata": {"all": {1, 2}}}, "is of type set"),
        ({"metadata": {"name": gettext_lazy("Hello")}}, "is of type __proxy__"),
        ({"metadata": {17: "order"}}, r"metadata has the key 17, which is not a text. Use str\(\) of it"),
        ({"metadata": {"items": {None: 1}}}, r"metadata\['items'\] has the key None"),
        ({"metadata": [("order", 17)]}, "metadata is of type list. Pass a dictionary"),
        ({"metadata": "order"}, "metadata is of type str. Pass a dictionary"),
        ({"sender": "Sh\0p"}, "sender.* contains a NUL character at index 2"),
        ({"sender": "Shop\ud83d"}, "contains half a character"),
        ({"sender": "x" * 33}, "longer than 32"),
    ],
    ids=ascii,
)
def test_values__that_a_database_refuses(messente_sandbox: Sandbox, arguments: dict[str, Any], sentence: str) -> None:
    for function in functions(**arguments):
        if function.func is send_channel and "sender" in arguments:  # type: ignore[attr-defined]
            continue
        with pytest.raises(ValueError, match=sentence):
            function()
    assert_nothing_stored_or_sent(messente_sandbox)


@pytest.mark.parametrize("reference", ["a\0b", "\ud83d", "x" * 129])
def test_reference__that_a_database_refuses(messente_sandbox: Sandbox, reference: str) -> None:
    for function in (
        partial(send_sms, NUMBER, "Hello"),
        partial(send_message, NUMBER, [Sms("Hello")]),
        partial(prepare_sms, NUMBER),
    ):
        with pytest.raises(ValueError, match="reference"):
            function(reference=reference)
    assert_nothing_stored_or_sent(messente_sandbox)


@pytest.mark.parametrize(
    ("text", "error"), [("a\0b", ValueError), ("\ud83d", ValueError), (b"Tere", TypeError), ("", ValueError)]
)
def test_text__that_cannot_be_sent(messente_sandbox: Sandbox, text: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="text"):
        send_sms(NUMBER, text)
    with pytest.raises(error, match="text"):
        send_message(NUMBER, [Sms(text)])
    if text:
        with pytest.raises(error, match="text"):
            prepare_sms(NUMBER, text=text)
    assert_nothing_stored_or_sent(messente_sandbox)


def test_metadata__nested_as_deep_as_mariadb_stores() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"a": nested(depth - 1)} if depth > 1 else {"a": 1}

    message = prepare_sms(NUMBER, metadata=nested(31))
    assert SmsMessage.objects.get(pk=message.pk).metadata == nested(31)
    endless: dict[str, Any] = {}
    endless["a"] = [endless]
    for metadata in (nested(32), endless):
        with pytest.raises(ValueError, match="is nested in more than 31 dictionaries and lists"):
            prepare_sms(NUMBER, metadata=metadata)
    assert SmsMessage.objects.count() == 1


def test_metadata__other_mappings() -> None:
    assert prepare_sms(NUMBER, metadata=MappingProxyType({"order": 17})).metadata == {"order": 17}
    assert prepare_sms(NUMBER, metadata=None).metadata == {}


@settings(
    parent=unhurried,
    max_examples=min(60, settings().max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(metadata=st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_metadata__is_refused_or_stored(metadata: dict[str, Any]) -> None:
    """No value is an error of the database. What is stored is what was given."""
    count = SmsMessage.objects.count()
    try:
        message = prepare_sms(NUMBER, metadata=metadata)
    except ValueError:
        assert SmsMessage.objects.count() == count
        return
    assert SmsMessage.objects.get(pk=message.pk).metadata == metadata


def assert_nothing_stored_or_sent(sandbox: Sandbox) -> None:
    assert not SmsMessage.objects.exists()
    assert not PendingPoll.objects.exists()
    assert sandbox.messages == ()


def test_statistics__one_country_for_every_spelling() -> None:
    from django_messente_dlr.maintenance.status_counts import count_messages

    for recipient in ("+37255500000", "37255500000", "0037255500000"):
        SmsMessageFactory.create(recipient=recipient, created_at=datetime(2030, 1, 1, tzinfo=UTC))
    counts = count_messages(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC))
    assert {prefix: statuses.total() for prefix, statuses in counts.by_prefix.items()} == {"+372": 3}
