"""The columns of a message's row that describe what is sent and how."""

from __future__ import annotations

from typing import Any

from django_messente_dlr import conf
from django_messente_dlr.backends.base import OutgoingMessage
from django_messente_dlr.messente.channel_values import WITHOUT_CONTENT
from django_messente_dlr.sending import values


def columns_of(outgoing: OutgoingMessage, *, is_text: bool) -> dict[str, Any]:
    """Return the columns of the row of a message that describe what is sent and how.

    Args:
        outgoing: the message.
        is_text: whether the message is one text of `send_sms`. Its options are stored instead of its channel.
    """
    store_text = conf.get_config().store_text
    first = outgoing.channels[0]
    options: dict[str, Any] = {"api": outgoing.api, "priority": outgoing.priority, "text_store": outgoing.text_store}
    options["charset"] = outgoing.charset
    if is_text:
        options |= {name: first.get(name) for name in ("validity", "autoconvert", "udh")}
    stored = [
        {name: value for name, value in channel.items() if store_text or name in WITHOUT_CONTENT}
        for channel in outgoing.channels
    ]
    return {
        "sender": str(first.get("sender") or "")[:32],
        "text": values.text_of(outgoing.channels) if store_text else "",
        "channel": str(first["channel"])[:16],
        "channels": [] if is_text else stored,
        "channel_count": len(outgoing.channels),
        "options": {name: value for name, value in options.items() if value},
        "send_at": values.db_time(outgoing.send_at),
        "validity": values.total_validity(outgoing.channels),
    }
