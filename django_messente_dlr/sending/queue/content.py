"""What a queued message is sent with, as the JSON of its row, besides what the message's own row has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.models import QueuedMessage, ResendContent
from django_messente_dlr.sending import outgoing, values
from django_messente_dlr.sending.storable import storable_json
from django_messente_dlr.utils.phone_numbers import with_plus


def to_json(message: OutgoingMessage) -> dict[str, Any]:
    """Return a message as JSON, without its recipient, its account and its callback URL.

    Args:
        message: the message.

    Raises:
        ValueError: a database cannot store a value.
    """
    content = {
        # As the request will have it: JSON turns keys that are numbers into texts.
        "channels": json.loads(json.dumps([dict(channel) for channel in message.channels])),
        "api": message.api,
        "send_at": message.send_at.isoformat() if message.send_at else "",
        "priority": message.priority,
        "text_store": message.text_store,
        "charset": message.charset,
    }
    return storable_json("content", {name: value for name, value in content.items() if value})


def from_json(queued: QueuedMessage | ResendContent) -> OutgoingMessage:
    """Return the message of a row of the queue, or of one that is kept, with its callback URL.

    Args:
        queued: the row, with its message.

    Raises:
        ValueError: the recipient's number is erased.
    """
    message, content = queued.message, queued.content
    channels: list[Mapping[str, Any]] = content.get("channels", [])
    if message.is_erased or not channels:
        raise ValueError(f"The recipient of message {message.pk} is erased, so it cannot be sent.")
    send_at = content.get("send_at")
    result = OutgoingMessage(
        to=with_plus(message.recipient),
        channels=tuple(channels),
        account=message.account,
        api=content["api"],
        send_at=values.future(datetime.fromisoformat(send_at)) if send_at else None,
        priority=content.get("priority", ""),
        text_store=content.get("text_store", ""),
        charset=content.get("charset", ""),
    )
    return outgoing.for_row(result, message)
