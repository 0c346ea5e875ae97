"""Parse and check the JSON of an omnimessage.

The result is one message for each channel, or an error that names the invalid field.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.field_parsers import json_object
from django_messente_dlr.sandbox.messages import NUMBER, SandboxMessage

# The official client's channels (messente-api: ``Channel``), and telegram from Messente's documentation.
CHANNELS = frozenset({"sms", "viber", "whatsapp", "telegram", "rcs"})
# The response names a sender even for a message without one: Messente uses the account's default sender.
DEFAULT_SENDER = "Sandbox"


class InvalidOmnimessageError(Exception):
    """The body of the request is not a valid omnimessage.

    Args:
        sentence: describes the error.
        source: the invalid field, or None if the body as such is invalid.
        missing: whether the field is missing.
    """

    def __init__(self, sentence: str, *, source: str | None = None, missing: bool = False) -> None:
        super().__init__(sentence)
        self.source = source
        self.missing = missing


def parse_omnimessage(body: bytes, *, account: str) -> tuple[SandboxMessage, ...]:
    """Return the messages of an omnimessage: one for each channel, in the order of the channels.

    Args:
        body: the body of the request.
        account: the user name of the request.

    Raises:
        InvalidOmnimessageError: the body or one of its fields is invalid.
    """
    try:
        payload = json_object(body)
    except MalformedReport:
        raise InvalidOmnimessageError("The body is not a JSON object.") from None
    recipient = _string(payload, "to", required=True)
    if not NUMBER.fullmatch(recipient):
        raise InvalidOmnimessageError("The recipient is not a number in E.164 format.", source="to")
    contents = payload.get("messages")
    if not contents:
        raise InvalidOmnimessageError("There are no messages.", source="messages", missing=True)
    if not isinstance(contents, list) or not all(isinstance(content, dict) for content in contents):
        raise InvalidOmnimessageError("The messages are not a list of objects.", source="messages")
    dlr_url, send_at = _string(payload, "dlr_url"), _time_to_send(payload)
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


def _string(fields: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = fields.get(name)
    if value is None or value == "":
        if required:
            raise InvalidOmnimessageError(f"The field {name} is missing.", source=name, missing=True)
        return ""
    if not isinstance(value, str):
        raise InvalidOmnimessageError(f"The field {name} is not a string.", source=name)
    return value


def _channel(content: dict[str, Any]) -> str:
    channel = _string(content, "channel") or "sms"
    if channel not in CHANNELS:
        choices = ", ".join(sorted(CHANNELS))
        raise InvalidOmnimessageError(f"The channel is not one of {choices}.", source="channel")
    return channel


def _text(content: dict[str, Any]) -> str:
    if _channel(content) == "sms":
        return _string(content, "text", required=True)
    # The text of other channels may be an object, or missing beside an image.
    text = content.get("text")
    return text if isinstance(text, str) else ""


def _time_to_send(payload: dict[str, Any]) -> datetime | None:
    value = _string(payload, "time_to_send")
    if not value:
        return None
    try:
        time_to_send = datetime.fromisoformat(value)
        # A time without a time zone is UTC (official client: messente-api, model ``Omnimessage``).
        if time_to_send.tzinfo is None:
            return time_to_send.replace(tzinfo=UTC)
        return time_to_send.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidOmnimessageError("time_to_send is not an ISO 8601 time.", source="time_to_send") from None
