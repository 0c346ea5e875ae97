"""Every option of the send functions: what Messente gets, what the row stores, and the errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import messente_api
import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.translation import gettext_lazy

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.sending import (
    Rcs,
    Sms,
    Viber,
    WhatsApp,
    outgoing,
    prepare_sms,
    send_message,
    send_prepared,
    send_sms,
    track_sms,
)
from django_messente_dlr.sending.stored import stored_message
from tests.unit.sending.answers import NUMBER, OMNICHANNEL_URL, accept, accepted

pytestmark = pytest.mark.django_db(transaction=True)
# At midnight, so that the processes of pytest-xdist name the tests alike.
AT = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
# Untyped: the tests pass arguments that mypy would refuse.
send_anything: Any = send_sms
send_any_message: Any = send_message
prepare_anything: Any = prepare_sms


def sent(mock: responses.RequestsMock) -> dict[str, Any]:
    """Return the form fields or the JSON of the only request, without the callback URL and the credentials."""
    (call,) = mock.calls
    body: Any = call.request.body
    if call.request.url == OMNICHANNEL_URL:
        values: dict[str, Any] = json.loads(body)
    else:
        values = {name: value for name, (value,) in parse_qs(str(body)).items()}
    assert values.pop("dlr_url" if call.request.url == OMNICHANNEL_URL else "dlr-url").startswith("https://shop.")
    return {name: value for name, value in values.items() if name not in {"username", "password", "to"}}


@pytest.mark.parametrize(
    ("options", "expected"),  # the parameters of the SMS API, the fields of the channel and those beside it, the row
    [
        ({}, ({}, {}, {}, {})),
        ({"sender": "Shop"}, ({"from": "Shop"}, {"sender": "Shop"}, {}, {})),
        ({"sender": gettext_lazy("Shop")}, ({"from": "Shop"}, {"sender": "Shop"}, {}, {})),
        ({"validity": 90}, ({"validity": "90"}, {"validity": 90}, {}, {"validity": 90})),
        ({"validity": timedelta(hours=2)}, ({"validity": "120"}, {"validity": 120}, {}, {"validity": 120})),
        ({"autoconvert": "full"}, ({"autoconvert": "full"}, {"autoconvert": "full"}, {}, {"autoconvert": "full"})),
        ({"udh": "050003CC0201"}, ({"udh": "050003CC0201"}, {"udh": "050003CC0201"}, {}, {"udh": "050003CC0201"})),
        (
            {"text_store": "sha256"},
            ({"text-store": "sha256"}, {}, {"text_store": "sha256"}, {"text_store": "sha256"}),
        ),
        (
            {"send_at": AT},
            ({"time_to_send": str(int(AT.timestamp()))}, {}, {"time_to_send": AT.isoformat(timespec="seconds")}, {}),
        ),
        (
            {"send_at": AT.astimezone(timezone.get_fixed_timezone(180))},
            ({"time_to_send": str(int(AT.timestamp()))}, {}, {"time_to_send": AT.isoformat(timespec="seconds")}, {}),
        ),
        ({"send_at": datetime(2001, 1, 1, tzinfo=UTC)}, ({}, {}, {}, {})),
    ],
    ids=repr,
)
def test_send_sms__option(
    api: str,
    fake_messente: responses.RequestsMock,
    options: dict[str, Any],
    expected: tuple[dict[str, str], dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    by_sms, in_channel, of_omnimessage, stored = expected
    accept(fake_messente, api)
    message = send_sms(NUMBER, "Tere", **options)
    if api == "sms":
        assert sent(fake_messente) == {"text": "Tere", **by_sms}
    else:
        channel = {"channel": "sms", "text": "Tere", **in_channel}
        assert sent(fake_messente) == {"messages": [channel], **of_omnimessage}
    row = SmsMessage.objects.get()
    assert row.options == {"api": api, **stored}
    validity = stored.get("validity")
    assert row.validity == (validity * 60 if validity else None)
    if options.get("send_at") and options["send_at"] > timezone.now():
        assert message.send_at == AT
    else:
        assert message.send_at is not None
        assert timezone.now() - message.send_at < timedelta(minutes=1)


def test_charset__belongs_to_the_sms_api(fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, "sms")
    message = send_sms(NUMBER, "Tere", charset="UTF-8")
    assert sent(fake_messente) == {"text": "Tere", "charset": "UTF-8"}
    assert message.options == {"api": "sms", "charset": "UTF-8"}


@pytest.mark.usefixtures("omnichannel")
def test_charset__names_the_setting() -> None:
    with pytest.raises(ValueError, match=r"charset is a parameter of the SMS API, but SEND_API is .omnichannel"):
        send_sms(NUMBER, "Tere", charset="UTF-8")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"validity": 0}, ValueError, "validity must be from 1 minute to a year, not 0 minutes"),
        ({"validity": -5}, ValueError, "validity must be from 1 minute"),
        ({"validity": 10**12}, ValueError, "to a year"),
        ({"validity": timedelta(seconds=90)}, ValueError, "whole number of minutes, not 0:01:30. Round it"),
        ({"validity": timedelta(0)}, ValueError, "from 1 minute to a year"),
        ({"validity": "60"}, TypeError, "validity must be a whole number of minutes .* not str"),
        ({"validity": 60.0}, TypeError, "not float"),
        ({"validity": True}, TypeError, "not bool"),
        ({"send_at": datetime(2030, 1, 1)}, ValueError, "send_at has no time zone.*make_aware"),  # noqa: DTZ001
        ({"send_at": 1893456000}, TypeError, "send_at must be an aware datetime, not int"),
        ({"send_at": AT.isoformat()}, TypeError, "send_at must be an aware datetime, not str"),
        ({"send_at": AT.date()}, TypeError, "not date"),
        ({"send_at": timedelta(hours=1)}, TypeError, "not timedelta. For a delay, pass timezone.now"),
        ({"send_at": datetime.max.replace(tzinfo=UTC)}, ValueError, "more than a year ahead"),
        ({"send_at": AT + timedelta(days=366)}, ValueError, "more than a year ahead"),
        ({"autoconvert": True}, TypeError, 'autoconvert must be a text .* not bool. Pass "on" or "off"'),
        ({"text_store": 1}, TypeError, "text_store must be a text"),
        ({"udh": b"05"}, TypeError, "udh must be a text"),
        ({"charset": 8}, TypeError, "charset must be a text"),
        ({"sender": "x" * 33}, ValueError, "longer than 32"),
        ({"sender": 17}, TypeError, "sender must be a text"),
        ({"sender": "a\0"}, ValueError, "NUL"),
        ({"reference": 17}, TypeError, r"reference must be a text .str., not int. Pass str"),
        ({"reference": "x" * 129}, ValueError, "reference .* is longer than 128"),
        ({"metadata": {"order": AT}}, ValueError, "of type datetime, which is not JSON"),
        ({"time_to_send": 17}, TypeError, r"send_sms\(\) has no argument .time_to_send.. Pass send_at, an aware"),
        ({"text-store": "sha256"}, TypeError, "Did you mean text_store"),
        ({"send_on": AT}, TypeError, "Did you mean send_at"),
        ({"Sender": "Shop"}, TypeError, "Did you mean sender"),
        ({"validty": 60}, TypeError, "Did you mean validity"),
        ({"from": "Shop"}, TypeError, "Pass sender"),
        ({"dlr-url": "https://x.example"}, TypeError, "Each message has its own callback URL"),
        ({"password": "secret"}, TypeError, "The account in MESSENTE_DLR sets it"),
        ({"ttl": 60}, TypeError, "Pass validity in minutes"),
        ({"zzz": 1}, TypeError, "The arguments are to, text, sender"),
        ({"account": "unknown"}, ImproperlyConfigured, "has no account 'unknown'"),
    ],
    ids=repr,
)
def test_send_sms__invalid_option_stores_nothing(
    api: str, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    if "charset" in options and api == "omnichannel":
        text = "SEND_API"
        error = ValueError
    with pytest.raises(error, match=text) as raised:
        send_anything(NUMBER, "Tere", **options)
    assert "secret" not in str(raised.value)
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("", ValueError, "The text is empty"),
        (None, ValueError, "The text is empty"),
        (b"Tere", TypeError, "The text must be a text .* not bytes"),
        (17, TypeError, "not int"),
        ("a\0", ValueError, "The text contains a NUL character"),
        ("Tere \ud83d", ValueError, "half a character .* at index 5"),
    ],
)
def test_send_sms__invalid_text(api: str, text: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        send_sms(NUMBER, text)
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize("to", ["37255500000", NUMBER, "+372 555-00000", 37255500000])
@pytest.mark.usefixtures("omnichannel")
def test_recipient__is_e164(fake_messente: responses.RequestsMock, to: Any) -> None:
    accept(fake_messente, "omnichannel")
    send_sms(to, "Tere")
    assert json.loads(fake_messente.calls[0].request.body or b"")["to"] == NUMBER


@pytest.mark.parametrize(
    "function", [partial(send_sms, NUMBER, "Tere"), partial(send_message, NUMBER, [Sms("Tere")])]
)
def test_default_account__is_the_setting(
    fake_messente: responses.RequestsMock, settings: Any, function: partial[SmsMessage], api: str
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DEFAULT_ACCOUNT": "marketing"}
    is_sms = api == "sms" and function.func is send_sms
    accept(fake_messente, "sms" if is_sms else "omnichannel")
    assert function().account == "marketing"
    assert prepare_sms(NUMBER).account == "marketing"
    assert track_sms("another-id").account == "marketing"


def test_default_account__not_configured(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DEFAULT_ACCOUNT": "shop"}
    for function in (partial(send_sms, NUMBER, "Tere"), partial(prepare_sms, NUMBER), partial(track_sms, "an-id")):
        with pytest.raises(ImproperlyConfigured, match="has no account 'shop'"):
            function()


@pytest.mark.parametrize("store", [True, False])
def test_send_message__stores_what_resending_needs(
    fake_messente: responses.RequestsMock, settings: Any, *, store: bool
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": store}
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "whatsapp", "rcs", "sms"), status=201)
    send_message(
        NUMBER,
        [
            Viber("Tere", sender="Shop", ttl=60, button_url="https://x.example/secret", button_text="Buy"),
            WhatsApp("Tere", validity=1),
            Rcs("Tere", sender="Agent", ttl=60, extra={"new": "field"}),
            Sms("Tere", sender="Shop", validity=5, udh="0500"),
        ],
        reference="order-17",
        metadata={"order": 17},
        priority="high",
        text_store="nostore",
        send_at=AT,
    )
    assert sent(fake_messente) == {
        "messages": [
            {
                "channel": "viber",
                "text": "Tere",
                "sender": "Shop",
                "ttl": 60,
                "button_url": "https://x.example/secret",
                "button_text": "Buy",
            },
            {"channel": "whatsapp", "text": {"body": "Tere"}, "validity": 1},
            {"channel": "rcs", "text": "Tere", "sender": "Agent", "ttl": 60, "new": "field"},
            {"channel": "sms", "text": "Tere", "sender": "Shop", "validity": 5, "udh": "0500"},
        ],
        "priority": "high",
        "text_store": "nostore",
        "time_to_send": AT.isoformat(timespec="seconds"),
    }
    row = SmsMessage.objects.get()
    assert (row.reference, row.metadata, row.sender, row.channel) == ("order-17", {"order": 17}, "Shop", "viber")
    assert (row.validity, row.channel_count, row.send_at) == (480, 4, AT)
    assert row.options == {"api": "omnichannel", "priority": "high", "text_store": "nostore"}
    assert row.text == ("Tere" if store else "")
    assert ("Tere" in json.dumps(row.channels), "secret" in json.dumps(row.channels)) == (store, store)
    assert [channel["channel"] for channel in row.channels] == ["viber", "whatsapp", "rcs", "sms"]
    assert SmsMessage.objects.for_reference("order-17").get() == row
    if store:
        again = outgoing.for_row(stored_message(row), row)
        assert [*again.channels] == json.loads(fake_messente.calls[0].request.body or b"")["messages"]
        assert (again.priority, again.text_store, again.dlr_url) == ("high", "nostore", row.callback_url)
    else:
        with pytest.raises(ValueError, match=r"content of message .* is not stored"):
            stored_message(row)


def test_stored_message__of_send_sms_has_its_options(
    api: str, fake_messente: responses.RequestsMock, settings: Any
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": True}
    accept(fake_messente, api)
    row = send_sms(NUMBER, "Tere", sender="Shop", validity=5, udh="0500", autoconvert="off", text_store="sha256")
    stored = SmsMessage.objects.get()
    again = outgoing.for_row(stored_message(stored), stored)
    assert again.channels == (
        {"channel": "sms", "text": "Tere", "sender": "Shop", "validity": 5, "udh": "0500", "autoconvert": "off"},
    )
    assert (again.to, again.api, again.text_store, again.send_at) == (NUMBER, api, "sha256", None)
    assert again.dlr_url == row.callback_url
    assert again.dlr_url not in repr(again)


@pytest.mark.parametrize("api_setting", ["sms", "omnichannel"])
def test_send_message__always_uses_omnichannel(
    fake_messente: responses.RequestsMock, settings: Any, api_setting: str
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "SEND_API": api_setting}
    accept(fake_messente, "omnichannel")
    assert send_message(NUMBER, [Sms("Tere")]).options == {"api": "omnichannel"}


def test_send_message__objects_of_the_official_client(fake_messente: responses.RequestsMock) -> None:
    official: list[Any] = [
        messente_api.Viber(text="Tere", sender="x" * 40, ttl=60),
        messente_api.WhatsApp(text=messente_api.WhatsAppText(body="Tere")),
        messente_api.SMS(text="Tere", validity=2),
    ]
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "whatsapp", "sms"), status=201)
    message = send_message(NUMBER, official)
    assert sent(fake_messente)["messages"] == [channel.to_dict() for channel in official]
    assert (message.validity, message.sender) == (None, "x" * 32)  # WhatsApp has Messente's default validity


@pytest.mark.parametrize(
    ("channels", "options", "error", "text"),
    [
        ([], {}, ValueError, "channels is empty"),
        ("Tere", {}, TypeError, "must be a list"),
        ([{"channel": "sms"}], {}, TypeError, "Channel 1 is a dict"),
        ([Sms("Tere")], {"priority": 1}, TypeError, "priority must be a text"),
        ([Sms("Tere")], {"validity": 5}, TypeError, r"send_message\(\) has no argument .validity"),
        ([Sms("Tere")], {"priorty": "low"}, TypeError, "Did you mean priority"),
        ([Sms("Tere")], {"send_at": datetime(2030, 1, 1)}, ValueError, "no time zone"),  # noqa: DTZ001
    ],
)
def test_send_message__invalid_stores_nothing(
    channels: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        send_any_message(NUMBER, channels, **options)
    with pytest.raises(ValueError, match="not a phone number"):
        send_message("Mari", [Sms("Tere")])
    assert not SmsMessage.objects.exists()


def test_prepare_sms__keeps_the_reference_and_starts_no_window() -> None:
    message = prepare_sms(NUMBER, reference="order-17")
    assert (message.reference, message.send_at, message.validity) == ("order-17", None, None)
    with pytest.raises(TypeError, match="Did you mean reference"):
        prepare_anything(NUMBER, refrence="order-17")


def test_send_prepared__text(api: str, fake_messente: responses.RequestsMock, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "STORE_TEXT": True}
    accept(fake_messente, api)
    message = prepare_sms(NUMBER, sender="Shop", reference="order-17", metadata={"order": 17})
    assert send_prepared(message, "Tere", validity=5) is message
    row = SmsMessage.objects.get()
    assert (row.status, row.sms_unique_id, row.reference, row.metadata) == ("sent", "id-0", "order-17", {"order": 17})
    assert (row.sender, row.text, row.validity, row.channel_count) == ("Shop", "Tere", 300, 1)
    assert row.send_at is not None
    assert (message.status, message.text, message.validity) == ("sent", "Tere", 300)


def test_send_prepared__channels(fake_messente: responses.RequestsMock) -> None:
    fake_messente.post(OMNICHANNEL_URL, json=accepted("viber", "sms"), status=201)
    send_prepared(prepare_sms(NUMBER), [Viber("Tere"), Sms("Tere")], priority="low")
    row = SmsMessage.objects.get()
    assert (row.channel, row.channel_count, row.options) == ("viber", 2, {"api": "omnichannel", "priority": "low"})


@pytest.mark.parametrize(
    ("content", "options", "error", "text"),
    [
        ("", {}, ValueError, "The text is empty"),
        ("Tere", {"priority": "low"}, TypeError, "priority is an option of channels"),
        ([Sms("Tere")], {"sender": "Shop"}, TypeError, r"sender is an option of a text. Pass it to the channel"),
        ([Sms("Tere")], {"validity": 5}, TypeError, "validity is an option of a text"),
        ([Sms("Tere")], {"udh": "0500"}, TypeError, "udh is an option of a text"),
        ([], {}, ValueError, "channels is empty"),
        ("Tere", {"reference": "order-17"}, TypeError, "has no argument .reference"),
    ],
)
def test_send_prepared__invalid_content(
    content: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    send: Any = send_prepared
    message = prepare_sms(NUMBER)
    with pytest.raises(error, match=text):
        send(message, content, **options)
    assert SmsMessage.objects.get().send_at is None


def test_send_prepared__once(api: str, fake_messente: responses.RequestsMock) -> None:
    accept(fake_messente, api)
    message = prepare_sms(NUMBER)
    stale = SmsMessage.objects.get()
    send_prepared(message, "Tere")
    for again in (message, stale):
        with pytest.raises(ValueError, match="was already sent: its status is sent"):
            send_prepared(again, "Tere")
    assert len(fake_messente.calls) == 1


def test_send_prepared__unknown_outcome_is_not_sent_again(api: str, fake_messente: responses.RequestsMock) -> None:
    SmsMessage.objects.filter(pk=prepare_sms(NUMBER).pk).update(send_at=timezone.now())
    with pytest.raises(ValueError, match="already given to Messente, and the outcome is not known"):
        send_prepared(SmsMessage.objects.get(), "Tere")


@pytest.mark.parametrize("change", [{"recipient": "+37255500001"}, {"account": "marketing"}])
def test_send_prepared__row_of_another_recipient(change: dict[str, str]) -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.update(**change)
    with pytest.raises(ValueError, match="belongs to another recipient or account"):
        send_prepared(message, "Tere")


def test_send_prepared__deleted_row() -> None:
    message = prepare_sms(NUMBER)
    SmsMessage.objects.all().delete()
    with pytest.raises(ValueError, match="is not stored"):
        send_prepared(message, "Tere")
