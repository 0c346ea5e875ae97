"""The channels of an omnimessage: their JSON objects, and the errors of values that cannot be sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import messente_api
import pytest
from django.utils.translation import gettext_lazy

from django_messente_dlr.messente import channels as channel_classes
from django_messente_dlr.messente.channel_values import channel_objects

# Without annotations: the tests pass values of wrong types.
Rcs: Any = channel_classes.Rcs
Sms: Any = channel_classes.Sms
Viber: Any = channel_classes.Viber
WhatsApp: Any = channel_classes.WhatsApp


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (Sms("Tere"), {"channel": "sms", "text": "Tere"}),
        (Sms(text="Tere", sender="Shop"), {"channel": "sms", "text": "Tere", "sender": "Shop"}),
        (Sms("Tere", ttl=90), {"channel": "sms", "text": "Tere", "ttl": 90}),
        (Sms("Tere", ttl=timedelta(minutes=2)), {"channel": "sms", "text": "Tere", "ttl": 120}),
        (Sms("Tere", validity=90), {"channel": "sms", "text": "Tere", "validity": 90}),
        (Sms("Tere", validity=timedelta(hours=2)), {"channel": "sms", "text": "Tere", "validity": 120}),
        (
            Sms("Tere", autoconvert="full", udh="050003CC0201"),
            {"channel": "sms", "text": "Tere", "autoconvert": "full", "udh": "050003CC0201"},
        ),
        (Sms("Tere", extra={"new": [1], "unset": None}), {"channel": "sms", "text": "Tere", "new": [1]}),
        (Sms(gettext_lazy("Queued")), {"channel": "sms", "text": "Queued"}),
        (
            Viber("Tere", image_url="https://x.example/i.png", button_url="https://x.example", button_text="Buy"),
            {
                "channel": "viber",
                "text": "Tere",
                "image_url": "https://x.example/i.png",
                "button_url": "https://x.example",
                "button_text": "Buy",
            },
        ),
        (Viber(image_url="https://x.example/i.png"), {"channel": "viber", "image_url": "https://x.example/i.png"}),
        (Viber(video={"url": "u", "thumbnail": None}), {"channel": "viber", "video": {"url": "u"}}),
        (Viber(template={"id": "t"}), {"channel": "viber", "template": {"id": "t"}}),
        (Viber(carousel={"items": []}), {"channel": "viber", "carousel": {"items": []}}),
        (WhatsApp("Tere"), {"channel": "whatsapp", "text": {"body": "Tere"}}),
        (WhatsApp(template={"name": "t"}), {"channel": "whatsapp", "template": {"name": "t"}}),
        (WhatsApp(image={"link": "u"}), {"channel": "whatsapp", "image": {"link": "u"}}),
        (Rcs("Tere", sender="Shop"), {"channel": "rcs", "text": "Tere", "sender": "Shop"}),
        (
            Rcs(rich_card={"title": "t"}, sender="Shop", suggestions=[{"reply": "yes"}]),
            {"channel": "rcs", "rich_card": {"title": "t"}, "sender": "Shop", "suggestions": [{"reply": "yes"}]},
        ),
    ],
    ids=str,
)
def test_to_dict__is_messentes_json_object(channel: Any, expected: dict[str, Any]) -> None:
    assert channel.to_dict() == expected
    assert channel_objects([channel]) == (expected,)


@pytest.mark.parametrize(
    ("create", "error", "text"),
    [
        (Sms, ValueError, "Sms has nothing to send. Pass the text"),
        (Viber, ValueError, "Viber has nothing to send. Pass text, image_url, video, template or carousel"),
        (lambda: WhatsApp(sender="Shop"), ValueError, "WhatsApp has nothing to send"),
        (lambda: Rcs(sender="Shop"), ValueError, "Pass text, content_info or rich_card"),
        (lambda: Rcs("Tere"), ValueError, "Rcs has no sender"),
        (lambda: WhatsApp("Tere", image={"link": "u"}), ValueError, "has text and image, but .* only one"),
        (lambda: Rcs("Tere", rich_card={"a": 1}, sender="S"), ValueError, "has text and rich_card"),
        (lambda: Sms("Tere", ttl=60, validity=1), ValueError, "both ttl and validity"),
        (lambda: Sms("Tere", ttl=0), ValueError, "ttl of Sms must be from 1 second to a year, not 0 seconds"),
        (lambda: Sms("Tere", validity=-1), ValueError, "from 1 minute to a year"),
        (lambda: Sms("Tere", validity=10**9), ValueError, "from 1 minute to a year"),
        (lambda: Sms("Tere", ttl=timedelta(days=400)), ValueError, "from 1 second to a year"),
        (lambda: Sms("Tere", ttl=timedelta(seconds=-1)), ValueError, "from 1 second to a year"),
        (lambda: Sms("Tere", validity=timedelta(seconds=90)), ValueError, "whole number of minutes, not 0:01:30"),
        (lambda: Sms("Tere", ttl=timedelta(milliseconds=1)), ValueError, "whole number of seconds"),
        (lambda: Sms("Tere", ttl=True), TypeError, "ttl of Sms must be a whole number of seconds .* not bool"),
        (lambda: Sms("Tere", validity=1.5), TypeError, "not float"),
        (lambda: Sms("Tere", validity="60"), TypeError, "not str"),
        (lambda: Sms(b"Tere"), TypeError, "text of Sms must be a text .* not bytes"),
        (lambda: Sms(None), TypeError, "not NoneType"),
        (lambda: Sms("Tere", sender=None), TypeError, "sender of Sms must be a text"),
        (lambda: Sms("Tere", autoconvert=True), TypeError, "autoconvert of Sms must be a text"),
        (lambda: Sms("Tere \ud83d"), ValueError, "half a character .* at index 5"),
        (lambda: Sms("a\0b"), ValueError, "NUL character at index 1"),
        (lambda: Viber(video="u"), TypeError, "video of Viber must be a dict, not str"),
        (lambda: Rcs("a", sender="S", suggestions={"a": 1}), TypeError, "must be a list of dicts, not dict"),
        (lambda: Rcs("a", sender="S", suggestions=["a"]), TypeError, "must be a list of dicts, not list"),
        (lambda: Sms("Tere", extra=[1]), TypeError, "extra of Sms must be a dict, not list"),
        (lambda: Sms("Tere", extra={"sender": "S"}), ValueError, 'contains "sender". Pass it as the argument sender'),
        (lambda: Sms("Tere", extra={"channel": "x"}), ValueError, 'contains "channel". Sms sets it'),
    ],
)
def test_channel__invalid_value_raises(create: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        create()


class Odd:
    """An object of another package, with a result of ``to_dict()``."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields

    def to_dict(self) -> Any:
        return self.fields


@pytest.mark.parametrize(
    ("channels", "error", "text"),
    [
        ([], ValueError, "channels is empty"),
        ("Tere", TypeError, "must be a list .* not str. For a text, call send_sms"),
        (Sms("Tere"), TypeError, "must be a list .* not Sms"),
        ({"channel": "sms"}, TypeError, "must be a list .* not dict"),
        (None, TypeError, "must be a list .* not NoneType"),
        ([Sms("Tere"), "Tere"], TypeError, "Channel 2 is a str. Pass Viber"),
        ([{"channel": "sms", "text": "Tere"}], TypeError, "Channel 1 is a dict"),
        ([Sms], TypeError, "Channel 1 is a type"),
        ([Odd(None)], TypeError, r"Channel 1 is a Odd.* to_dict\(\) returns a dict"),
        ([Odd({"text": "Tere"})], ValueError, "Channel 1 has no name"),
        ([Odd({"channel": 5})], ValueError, "Channel 1 has no name"),
        ([Odd({"channel": "sms", "text": object()})], TypeError, "Channel 1 has a value that is not JSON"),
        ([Odd({"channel": "sms", "text": float("nan")})], TypeError, "not JSON"),
        ([Sms("a", extra={"b": {1}})], TypeError, "not JSON"),
        ([Odd({"channel": "sms", "text": ["a", {"b": "\ud83d"}]})], ValueError, "half a character"),
        ([Odd({"channel": "sms", "a\0": "b"})], ValueError, "NUL character"),
    ],
)
def test_channel_objects__invalid_raises(channels: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        channel_objects(channels)


def test_channel_objects__official_client_is_taken_as_it_is() -> None:
    official: list[Any] = [
        messente_api.Viber(text="Tere", sender="Shop", ttl=60, image_url="https://x.example/i.png"),
        messente_api.WhatsApp(text=messente_api.WhatsAppText(body="Tere", preview_url=False)),
        messente_api.Rcs(sender="Shop", text="Tere"),
        messente_api.SMS(text="Tere", validity=5, autoconvert="full"),
    ]
    assert channel_objects(official) == tuple(channel.to_dict() for channel in official)
    assert channel_objects(official)[3] == {
        "channel": "sms",
        "text": "Tere",
        "validity": 5,
        "autoconvert": "full",
    }


def test_channel__is_frozen() -> None:
    channel = Sms("Tere")
    with pytest.raises(AttributeError):
        channel.text = "Head aega"
