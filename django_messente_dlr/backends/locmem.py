"""The backend that keeps messages in the list `outbox`, for the tests of projects."""

from __future__ import annotations

from django_messente_dlr.backends.base import OutgoingMessage, SendResult
from django_messente_dlr.backends.local import LocalBackend

#: The messages that were sent, in order.
outbox: list[OutgoingMessage] = []


class Backend(LocalBackend):
    """Append each message to `outbox`."""

    def accept(self, message: OutgoingMessage, result: SendResult) -> None:
        """Append a message to `outbox`."""
        outbox.append(message)
