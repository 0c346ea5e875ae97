"""Parse the Omnichannel API's answers to requests that send omnimessages (source: official client messente-api)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django_messente_dlr.messente import field_parsers
from django_messente_dlr.messente.errors import MalformedReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SentChannel:
    """One channel of an accepted message.

    Attributes:
        channel: its name, such as sms or viber.
        message_id: the id of the channel's message at Messente.
        sender: the sender's name, or "".
    """

    channel: str
    message_id: str
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOmnimessage:
    """The ids of an omnimessage that Messente has accepted.

    Attributes:
        omnimessage_id: its id.
        to: the recipient's number as the answer has it, or "".
        channels: its channels in the order of sending; empty if the answer does not list them.
    """

    omnimessage_id: str
    to: str = ""
    channels: tuple[SentChannel, ...] = ()


def parse_accepted(body: bytes) -> AcceptedOmnimessage | None:
    """Return the ids in the answer to one omnimessage, or None if it has no usable ``omnimessage_id``.

    Args:
        body: the response body.
    """
    try:
        return _accepted(field_parsers.json_object(body))
    except MalformedReport:
        return None


def parse_bulk(body: bytes, recipients: Sequence[str]) -> list[AcceptedOmnimessage | str] | None:
    """Return the ids or the error of each omnimessage of a bulk request; "" where the answer does not decide.

    Args:
        body: the response body.
        recipients: the recipients of the request, in its order.

    Returns:
        None if the answer has no list of messages.
    """
    try:
        items = field_parsers.json_object(body).get("messages")
    except MalformedReport:
        return None
    if not isinstance(items, list):
        return None
    results = [_bulk_item(item) for item in items]
    in_order = len(results) == len(recipients) and all(
        isinstance(result, str) or _digits(result.to) in {"", _digits(recipient)}
        for result, recipient in zip(results, recipients, strict=True)
    )
    if in_order:
        return results
    # Another order than that of the request: only a recipient that occurs once identifies its message, and an error,
    # which names no recipient, could be that of any message.
    accepted = [result for result in results if isinstance(result, AcceptedOmnimessage)]
    answered = Counter(_digits(result.to) for result in accepted)
    requested = Counter(map(_digits, recipients))
    by_number = {_digits(result.to): result for result in accepted if answered[_digits(result.to)] == 1}
    return [
        by_number.get(_digits(recipient), "") if requested[_digits(recipient)] == 1 else ""
        for recipient in recipients
    ]


def parse_errors(body: bytes) -> str:
    """Return the titles and details of the errors in an answer, or "" if it has none.

    Args:
        body: the response body: ``{"errors": [{"title", "detail", "code", "source"}]}``.
    """
    with suppress(MalformedReport):
        return _error_texts(field_parsers.json_object(body))
    return ""


def _bulk_item(item: Any) -> AcceptedOmnimessage | str:
    """Return the ids or the error of an item; "" if it is neither."""
    if not isinstance(item, dict):
        return ""
    with suppress(MalformedReport):
        if accepted := _accepted(item):
            return accepted
    return _error_texts(item)


def _accepted(answer: dict[str, Any]) -> AcceptedOmnimessage | None:
    omnimessage_id = field_parsers.identifier(answer.get("omnimessage_id"), name="omnimessage_id")
    if not omnimessage_id:
        return None
    channels: tuple[SentChannel, ...] = ()
    # The omnimessage is accepted. A list of channels that is not readable must not cost its id.
    with suppress(MalformedReport):
        channels = _channels(answer.get("messages"))
    to = answer.get("to")
    return AcceptedOmnimessage(omnimessage_id=omnimessage_id, to=to if isinstance(to, str) else "", channels=channels)


def _channels(items: Any) -> tuple[SentChannel, ...]:
    if not isinstance(items, list) or not all(isinstance(item, dict) and item.get("message_id") for item in items):
        raise MalformedReport("it has no list of messages with ids")
    return tuple(
        SentChannel(
            channel=field_parsers.truncated(item.get("channel"), limit=16),
            message_id=field_parsers.identifier(item["message_id"], name="message_id"),
            sender=field_parsers.truncated(item.get("sender"), limit=128),
        )
        for item in items
    )


def _error_texts(answer: dict[str, Any]) -> str:
    """Return the errors of an answer in one line: an object has them in a list, or is itself an error."""
    items = answer.get("errors")
    if not isinstance(items, list):
        items = [answer]
    return "; ".join(filter(None, (_error_text(item) for item in items if isinstance(item, dict))))


def _error_text(item: dict[str, Any]) -> str:
    texts = [value for value in (item.get("title"), item.get("detail")) if value and isinstance(value, str)]
    return ": ".join(texts)


def _digits(number: str) -> str:
    return "".join(char for char in number if char.isdigit())
