"""Parse and check the JSON of an omnimessage.

The result is one message for each channel, or an error that names the invalid field.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.field_parsers import json_object
from django_messente_dlr.sandbox.channel_content import (
    InvalidOmnimessageError,
    channel_of,
    check_choice,
    string,
    text_of,
)
from django_messente_dlr.sandbox.messages import NUMBER, SandboxMessage

# The response names a sender even for a message without one: Messente uses the account's default sender.
DEFAULT_SENDER = "Sandbox"
# The values that the official client lists (messente-api: ``Omnimessage``).
CHOICES = {"text_store": {"plaintext", "sha256", "nostore"}, "priority": {"low", "regular", "high"}}


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        InvalidOmnimessageError: the body is not a JSON object.
    """
    try:
        return json_object(body)
    except MalformedReport:
        raise InvalidOmnimessageError("The body is not a JSON object.") from None


def parse_bulk(body: bytes) -> list[object]:
    """Return the omnimessages of a bulk request. They are not checked.

    Raises:
        InvalidOmnimessageError: the body is not a JSON object with a list of messages.
    """
    messages = parse_object(body).get("messages")
    if not messages:
        raise InvalidOmnimessageError("There are no messages.", source="messages", missing=True)
    if not isinstance(messages, list):
        raise InvalidOmnimessageError("The messages are not a list.", source="messages")
    return messages


def parse_omnimessage(payload: object, *, account: str) -> tuple[SandboxMessage, ...]:
    """Return the messages of an omnimessage: one for each channel, in the order of the channels.

    Args:
        payload: the JSON of the omnimessage.
        account: the user name of the request.

    Raises:
        InvalidOmnimessageError: the omnimessage or one of its fields is invalid.
    """
    if not isinstance(payload, dict):
        raise InvalidOmnimessageError("The omnimessage is not a JSON object.")
    recipient = string(payload, "to", required=True)
    if not NUMBER.fullmatch(recipient):
        raise InvalidOmnimessageError("The recipient is not a number in E.164 format.", source="to")
    contents = payload.get("messages")
    if not contents:
        raise InvalidOmnimessageError("There are no messages.", source="messages", missing=True)
    if not isinstance(contents, list) or not all(isinstance(content, dict) for content in contents):
        raise InvalidOmnimessageError("The messages are not a list of objects.", source="messages")
    for name, choices in CHOICES.items():
        check_choice(payload, name, choices)
    dlr_url, send_at = string(payload, "dlr_url"), _time_to_send(payload)
    omnimessage_id = str(uuid.uuid4())
    return tuple(
        SandboxMessage(
            message_id=str(uuid.uuid4()),
            omnimessage_id=omnimessage_id,
            account=account,
            recipient=recipient,
            sender=string(content, "sender") or DEFAULT_SENDER,
            text=text_of(content),
            dlr_url=dlr_url,
            channel=channel_of(content),
            content=content,
            send_at=send_at,
        )
        for content in contents
    )


def _time_to_send(payload: dict[str, Any]) -> datetime | None:
    value = string(payload, "time_to_send")
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
