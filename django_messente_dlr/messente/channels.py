"""The channels of an omnimessage: `Viber`, `WhatsApp`, `Rcs` and `Sms` (source: official client messente-api 2.7.0).

Each checks its values when it is created, and `to_dict` returns the JSON object of the Omnichannel API. Words such as
those of ``autoconvert`` are not checked: Messente may add some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import timedelta
from typing import Any, ClassVar

from django_messente_dlr.messente.channel_values import clean_text, compact, duration

SECONDS_PER_MINUTE = 60


@dataclass(frozen=True)
class Channel:
    """What all channels have in common. Use one of the four subclasses.

    Args:
        text: the text to send; "" for a message with other content.
        sender: the sender's name, verified by Messente; "" for the account's default.
        ttl: how long Messente tries this channel before the next one: whole seconds, or a timedelta.
        validity: the same in whole minutes, or a timedelta. Only one of the two can be set.
        extra: further fields of Messente's JSON object, by their name there.

    Raises:
        ValueError: a value cannot be sent, or there is nothing to send.
        TypeError: a value has the wrong type.
    """

    text: str = ""
    _: KW_ONLY
    sender: str = ""
    ttl: int | timedelta | None = None
    validity: int | timedelta | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    name: ClassVar[str] = ""
    #: The fields that can be the content, and whether only one of them can be set.
    contents: ClassVar[tuple[str, ...]] = ("text",)
    one_content: ClassVar[bool] = False

    def __post_init__(self) -> None:
        label = type(self).__name__
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "str":
                object.__setattr__(self, item.name, clean_text(value, name=f"{item.name} of {label}"))
            elif value is not None and not _has_type(value, str(item.type)):
                expected = "a list of dicts" if item.type.startswith("Sequence") else "a dict"
                raise TypeError(f"{item.name} of {label} must be {expected}, not {type(value).__name__}.")
        if self.ttl is not None and self.validity is not None:
            raise ValueError(
                f"{label} has both ttl and validity. Set one of them: ttl is in seconds, validity minutes."
            )
        own = {"channel", *(item.name for item in fields(self))}
        if taken := sorted(own & set(self.extra)):
            raise ValueError(f'extra of {label} contains "{taken[0]}". {_instead(taken[0], label)}')
        given = [name for name in self.contents if getattr(self, name) or self.extra.get(name)]
        if not given:
            raise ValueError(f"{label} has nothing to send. Pass {_either(self.contents)}.")
        if self.one_content and len(given) > 1:
            raise ValueError(f"{label} has {' and '.join(given)}, but it can send only one of them. Pass one.")
        self.to_dict()  # raises for a ttl or a validity that cannot be sent

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the Omnichannel API, without the fields that are not set."""
        label = type(self).__name__
        values: dict[str, Any] = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in {"ttl", "validity", "extra"} and getattr(self, item.name)
        }
        if self.ttl is not None:
            values["ttl"] = duration(self.ttl, unit=1, name=f"ttl of {label}")
        if self.validity is not None:
            values["validity"] = duration(self.validity, unit=SECONDS_PER_MINUTE, name=f"validity of {label}")
        channel: dict[str, Any] = compact({"channel": self.name, **values, **self.extra})
        return channel


@dataclass(frozen=True)
class Sms(Channel):
    """An SMS.

    Args:
        text: the text to send.
        autoconvert: what Messente does with characters that are not in the GSM alphabet: "on", "full" or "off".
        udh: the user data header in hexadecimal digits.
    """

    _: KW_ONLY
    autoconvert: str = ""
    udh: str = ""

    name: ClassVar[str] = "sms"


@dataclass(frozen=True)
class Viber(Channel):
    """A Viber message.

    Args:
        text: the text to send; "" for a message with other content.
        image_url: the URL of an image.
        button_url: the URL that the button opens.
        button_text: the text of the button.
        video: the object ``video`` of Messente's API.
        template: the object ``template``.
        carousel: the object ``carousel``.
    """

    _: KW_ONLY
    image_url: str = ""
    button_url: str = ""
    button_text: str = ""
    video: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None
    carousel: Mapping[str, Any] | None = None

    name: ClassVar[str] = "viber"
    contents: ClassVar[tuple[str, ...]] = ("text", "image_url", "video", "template", "carousel")


@dataclass(frozen=True)
class WhatsApp(Channel):
    """A WhatsApp message. It has exactly one of a text and the objects below.

    Args:
        text: the text to send; "" for a message with other content.
        image: the object ``image`` of Messente's API.
        video: the object ``video``.
        audio: the object ``audio``.
        document: the object ``document``.
        sticker: the object ``sticker``.
        template: the object ``template``.
    """

    _: KW_ONLY
    image: Mapping[str, Any] | None = None
    video: Mapping[str, Any] | None = None
    audio: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = None
    sticker: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None

    name: ClassVar[str] = "whatsapp"
    contents: ClassVar[tuple[str, ...]] = ("text", "image", "video", "audio", "document", "sticker", "template")
    one_content: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the Omnichannel API, in which the text is an object."""
        values = super().to_dict()
        return {**values, "text": {"body": self.text}} if self.text else values


@dataclass(frozen=True)
class Rcs(Channel):
    """An RCS message. It has a sender, and exactly one of a text and the objects below.

    Args:
        text: the text to send, at most 3,072 characters; "" for a message with other content.
        content_info: the object ``content_info`` of Messente's API.
        rich_card: the object ``rich_card``.
        suggestions: the list ``suggestions``, at most 11 objects.
    """

    _: KW_ONLY
    content_info: Mapping[str, Any] | None = None
    rich_card: Mapping[str, Any] | None = None
    suggestions: Sequence[Mapping[str, Any]] | None = None

    name: ClassVar[str] = "rcs"
    contents: ClassVar[tuple[str, ...]] = ("text", "content_info", "rich_card")
    one_content: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sender:
            raise ValueError("Rcs has no sender, which Messente requires. Pass sender, the name of your RCS agent.")


def _has_type(value: Any, annotation: str) -> bool:
    """Return whether a value has the type of a field that is no text and no time."""
    if annotation.startswith("Sequence"):
        return isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)
    return not annotation.startswith("Mapping") or isinstance(value, Mapping)


def _instead(name: str, label: str) -> str:
    return f"{label} sets it." if name == "channel" else f"Pass it as the argument {name} of {label}."


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else f"the {names[0]}"
