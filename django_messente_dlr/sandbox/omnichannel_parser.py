"""An omnimessage as it is posted: read and checked.

In comes a body; out go its messages, one for each channel, or an error that names the field that is wrong.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.field_parsers import json_object
from django_messente_dlr.sandbox.messages import NUMBER, SandboxMessage

# The official client's channels (messente-api: ``Channel``), and the documentation's telegram.
CHANNELS = frozenset({"sms", "viber", "whatsapp", "telegram", "rcs"})
# The answer names a sender even where none was given: Messente has the account's default there.
DEFAULT_SENDER = "Sandbox"


class InvalidOmnimessageError(Exception):
    """What was posted is no omnimessage.

    Args:
        sentence: what is wrong.
        source: the field that is wrong, or None for the whole.
        missing: whether the field is not there at all.
    """

    def __init__(self, sentence: str, *, source: str | None = None, missing: bool = False) -> None:
        super().__init__(sentence)
        self.source = source
        self.missing = missing


def parse_omnimessage(body: bytes, *, account: str) -> tuple[SandboxMessage, ...]:
    """Return the messages that make up an omnimessage, one for each channel in its order.

    Args:
        body: the body as it was posted.
        account: the user name that posted it.

    Raises:
        InvalidOmnimessageError: something is wrong with it.
    """
    try:
        told = json_object(body)
    except MalformedReport:
        raise InvalidOmnimessageError("The body is not a JSON object.") from None
    recipient = _string(told, "to", needed=True)
    if not NUMBER.fullmatch(recipient):
        raise InvalidOmnimessageError("The recipient is not a number in E.164 format.", source="to")
    contents = told.get("messages")
    if not contents:
        raise InvalidOmnimessageError("There are no messages.", source="messages", missing=True)
    if not isinstance(contents, list) or not all(isinstance(content, dict) for content in contents):
        raise InvalidOmnimessageError("The messages are not a list of objects.", source="messages")
    dlr_url, send_at = _string(told, "dlr_url"), _moment(told)
    omnimessage_id = str(uuid.uuid4())
    return tuple(
        SandboxMessage(
            message_id=str(uuid.uuid4()),
            omnimessage_id=omnimessage_id,
            account=account,
            recipient=recipient,
            sender=_string(content, "sender") or DEFAULT_SENDER,
            text=_text(content),
            dlr_url=dlr_url,
            channel=_channel(content),
            send_at=send_at,
        )
        for content in contents
    )


def _string(told: dict[str, Any], name: str, *, needed: bool = False) -> str:
    value = told.get(name)
    if value is None or value == "":
        if needed:
            raise InvalidOmnimessageError(f"The field {name} is missing.", source=name, missing=True)
        return ""
    if not isinstance(value, str):
        raise InvalidOmnimessageError(f"The field {name} is not a string.", source=name)
    return value


def _channel(content: dict[str, Any]) -> str:
    channel = _string(content, "channel") or "sms"
    if channel not in CHANNELS:
        raise InvalidOmnimessageError(f"The channel is none of {', '.join(sorted(CHANNELS))}.", source="channel")
    return channel


def _text(content: dict[str, Any]) -> str:
    if _channel(content) == "sms":
        return _string(content, "text", needed=True)
    # Other channels' texts may be objects, or missing beside an image.
    text = content.get("text")
    return text if isinstance(text, str) else ""


def _moment(told: dict[str, Any]) -> datetime | None:
    value = _string(told, "time_to_send")
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        # The official client (messente-api: ``Omnimessage``) says so of a time without a zone.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidOmnimessageError("time_to_send is not an ISO-8601 time.", source="time_to_send") from None
