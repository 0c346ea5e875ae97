"""Answers of a fake Messente on both APIs, and the settings that select an API."""

from __future__ import annotations

from typing import Any

import responses

SMS_URL = "http://127.0.0.1:9/send_sms/"
OMNICHANNEL_URL = "http://127.0.0.1:9/v1/omnimessage"
URLS = {"sms": SMS_URL, "omnichannel": OMNICHANNEL_URL}
NUMBER = "+37255500000"


def accepted(*channels: str, omnimessage_id: str = "an-omni-id") -> dict[str, Any]:
    """Return the answer of the Omnichannel API to a message of these channels."""
    names = channels or ("sms",)
    items = [
        {"channel": name, "message_id": f"id-{position}", "sender": "Shop"} for position, name in enumerate(names)
    ]
    return {"omnimessage_id": omnimessage_id, "to": NUMBER, "messages": items}


def accept(mock: responses.RequestsMock, api: str) -> None:
    """Prepare the answer of an API that accepts one SMS with the id id-0."""
    if api == "sms":
        mock.post(SMS_URL, "OK id-0")
    else:
        mock.post(OMNICHANNEL_URL, json=accepted(), status=201)
