"""A process of the project that sends: ``sender.py send|track file``, with a JSON list in the file.

``send`` takes ``[recipient, stranger]``; what is a stranger's it has another client send. Every other one of those it
tracks a little later, about when its first report comes; the others it prints, as ``track`` takes them.
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
# How many others are sent until a stranger's is tracked.
MEANWHILE = 10


def send(messages: list[tuple[str, bool]]) -> list[tuple[str, str]]:
    """Send all; return the ids and recipients of the strangers' that are still to be tracked."""
    soon: deque[tuple[int, str, str]] = deque()
    left: list[tuple[str, str]] = []
    strangers = 0
    for number, (recipient, stranger) in enumerate(messages):
        if stranger:
            sms_unique_id = client_for("default").send(recipient, TEXT, dlr_url=callback_url())
            strangers += 1
            if strangers % 2:
                left.append((sms_unique_id, recipient))
            else:
                soon.append((number + MEANWHILE, sms_unique_id, recipient))
        else:
            send_sms(recipient, TEXT)
        while soon and soon[0][0] <= number:
            track([soon.popleft()[1:]])
    track([(sms_unique_id, recipient) for _, sms_unique_id, recipient in soon])
    return left


def track(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Enter messages that were sent already."""
    for sms_unique_id, recipient in messages:
        track_sms(sms_unique_id, recipient=recipient)
    return []


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps(send(told) if sys.argv[1] == "send" else track(told)))  # noqa: T201 - that is what it is for
