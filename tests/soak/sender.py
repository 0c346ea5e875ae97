"""Send or track messages in a process of its own: ``sender.py send|track file``, with a JSON list in the file.

``send`` takes items ``[recipient, external, channels]``. It sends external messages without storing them, as another
client would. It tracks every second one of these a little later, at about the time of the first report. It prints the
others as the JSON list that ``track`` takes: items ``[id, recipient, several]``, the last one for several channels.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import django
import requests

django.setup()

from django_messente_dlr import conf  # noqa: E402 - needs the settings
from django_messente_dlr.accounts.clients import client_for  # noqa: E402
from django_messente_dlr.callbacks import callback_url  # noqa: E402
from django_messente_dlr.sending import Sms, Viber, WhatsApp, send_message, send_sms, track_sms  # noqa: E402

TEXT = "A parcel"
CHANNELS = {
    "viber": Viber(TEXT, sender="Shop", ttl=60),
    "whatsapp": WhatsApp(TEXT, sender="Shop"),
    "sms": Sms(TEXT, sender="Shop"),
}
# The number of messages that are sent between an external message and its tracking.
TRACK_AFTER = 10
Tracked = tuple[str, str, bool]


def send(messages: list[tuple[str, bool, Sequence[str]]]) -> list[Tracked]:
    """Send all messages, and return the external ones that are not tracked yet."""
    scheduled: deque[tuple[int, Tracked]] = deque()
    untracked: list[Tracked] = []
    external_count = 0
    for number, (recipient, external, channels) in enumerate(messages):
        if external:
            sent = (_send_elsewhere(recipient, channels), recipient, bool(channels))
            external_count += 1
            if external_count % 2:
                untracked.append(sent)
            else:
                scheduled.append((number + TRACK_AFTER, sent))
        elif channels:
            send_message(recipient, [CHANNELS[channel] for channel in channels])
        else:
            send_sms(recipient, TEXT)
        while scheduled and scheduled[0][0] <= number:
            track([scheduled.popleft()[1]])
    track([sent for _, sent in scheduled])
    return untracked


def track(messages: list[Tracked]) -> list[Tracked]:
    """Store messages that were sent already, and return an empty list."""
    for message_id, recipient, several in messages:
        if several:
            track_sms(omnimessage_id=message_id, recipient=recipient)
        else:
            track_sms(message_id, recipient=recipient)
    return []


def _send_elsewhere(recipient: str, channels: Sequence[str]) -> str:
    """Send a message without storing it, and return its id."""
    if not channels:
        return client_for("default").send(recipient, TEXT, dlr_url=callback_url())
    account = conf.account("default")
    payload = {
        "to": recipient,
        "messages": [CHANNELS[channel].to_dict() for channel in channels],
        "dlr_url": callback_url(),
    }
    response = requests.post(
        f"{conf.get_config().omnichannel_url}/omnimessage",
        json=payload,
        auth=(account.username, account.password),
        timeout=60,
    )
    response.raise_for_status()
    omnimessage_id: str = response.json()["omnimessage_id"]
    return omnimessage_id


if __name__ == "__main__":
    items = json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps(send(items) if sys.argv[1] == "send" else track(items)))  # noqa: T201 - the parent reads this
