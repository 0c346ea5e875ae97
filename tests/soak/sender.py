"""Send or track messages in a process of its own: ``sender.py send|track file``, with a JSON list in the file.

``send`` takes items ``[recipient, external]``. It sends external messages without storing them, as another client
would. It tracks every second one of these a little later, at about the time of the first report. It prints the others
as the JSON list that ``track`` takes.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path

import django

django.setup()

from django_messente_dlr.accounts.clients import client_for  # noqa: E402
from django_messente_dlr.callbacks import callback_url  # noqa: E402 - needs the settings
from django_messente_dlr.sending import send_sms, track_sms  # noqa: E402

TEXT = "A parcel"
# The number of messages that are sent between an external message and its tracking.
TRACK_AFTER = 10


def send(messages: list[tuple[str, bool]]) -> list[tuple[str, str]]:
    """Send all messages, and return the ids and recipients of the external ones that are not tracked yet."""
    scheduled: deque[tuple[int, str, str]] = deque()
    untracked: list[tuple[str, str]] = []
    external_count = 0
    for number, (recipient, external) in enumerate(messages):
        if external:
            sms_unique_id = client_for("default").send(recipient, TEXT, dlr_url=callback_url())
            external_count += 1
            if external_count % 2:
                untracked.append((sms_unique_id, recipient))
            else:
                scheduled.append((number + TRACK_AFTER, sms_unique_id, recipient))
        else:
            send_sms(recipient, TEXT)
        while scheduled and scheduled[0][0] <= number:
            track([scheduled.popleft()[1:]])
    track([(sms_unique_id, recipient) for _, sms_unique_id, recipient in scheduled])
    return untracked


def track(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Store messages that were sent already, and return an empty list."""
    for sms_unique_id, recipient in messages:
        track_sms(sms_unique_id, recipient=recipient)
    return []


if __name__ == "__main__":
    items = json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps(send(items) if sys.argv[1] == "send" else track(items)))  # noqa: T201 - the parent reads this
