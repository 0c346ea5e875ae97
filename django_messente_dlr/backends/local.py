"""What the backends have in common that do not call Messente: ids, and no delivery reports."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django_messente_dlr.backends.base import LOCAL_ID_PREFIX, BaseBackend, OutgoingMessage, SendResult, SentChannel

if TYPE_CHECKING:
    from django_messente_dlr.models import SmsMessage


class LocalBackend(BaseBackend):
    """Accept every message. Subclasses decide what to do with it."""

    def send(self, message: OutgoingMessage) -> SendResult:
        """Accept a message and return new ids, which start with "local-", so that no report is polled."""
        if message.api == "sms":
            result = SendResult(sms_unique_id=_new_id())
        else:
            sent = tuple(
                SentChannel(
                    channel=str(channel["channel"]), message_id=_new_id(), sender=str(channel.get("sender") or "")
                )
                for channel in message.channels
            )
            result = SendResult.of_omnimessage(message, _new_id(), sent)
        self.accept(message, result)
        return result

    def accept(self, message: OutgoingMessage, result: SendResult) -> None:
        """Take a message instead of Messente.

        Args:
            message: the message.
            result: the ids that it got.
        """
        raise NotImplementedError

    def cancel(self, message: SmsMessage) -> None:
        """Cancel a message: nothing is sent anyway."""


def _new_id() -> str:
    return f"{LOCAL_ID_PREFIX}{uuid.uuid4()}"
