"""The interface of a backend: what it gets, what it returns, and what it raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django_messente_dlr.messente.omnichannel_answers import SentChannel

if TYPE_CHECKING:
    from django_messente_dlr.models import SmsMessage

# Ids that start so were not given by Messente, which therefore cannot be polled for them.
LOCAL_ID_PREFIX = "local-"

__all__ = ["BaseBackend", "OutgoingMessage", "SendResult", "SentChannel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message that is checked and ready to be sent.

    Attributes:
        to: the recipient's number in international format.
        channels: the channels in the order of preference, as JSON objects of the Omnichannel API: each has
            ``channel`` and, if they are set, ``text``, ``sender``, ``validity`` (minutes) or ``ttl`` (seconds), and
            further fields of that channel. `send_sms` gives one channel, "sms".
        account: the name of the account in the settings.
        api: "omnichannel" or "sms", which can send only one channel, "sms".
        dlr_url: the callback URL for reports, or "" for the account's default.
        send_at: when Messente is to send the message; None for now.
        priority: "low", "regular", "high" or "" (Omnichannel only).
        text_store: how Messente stores the text: "plaintext", "sha256", "nostore" or "" for the account's default.
        charset: the parameter of that name of the SMS API, or "".
    """

    to: str
    channels: tuple[Mapping[str, Any], ...]
    account: str
    api: str
    dlr_url: str = field(default="", repr=False)  # its token is a secret
    send_at: datetime | None = None
    priority: str = ""
    text_store: str = ""
    charset: str = ""

    @property
    def text(self) -> str:
        """Return the text of the first channel that has one, or ""."""
        return next((str(channel["text"]) for channel in self.channels if channel.get("text")), "")

    @property
    def sender(self) -> str:
        """Return the sender of the first channel, or ""."""
        return str(self.channels[0].get("sender") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The ids of an accepted message.

    Attributes:
        sms_unique_id: the id of a message of one channel, or "" for a message of several channels.
        omnimessage_id: the id of the omnimessage, or "" with the SMS API.
        channels: the channels in the order of sending; empty with the SMS API.
    """

    sms_unique_id: str = ""
    omnimessage_id: str = ""
    channels: tuple[SentChannel, ...] = ()

    @classmethod
    def of_omnimessage(
        cls, message: OutgoingMessage, omnimessage_id: str, channels: tuple[SentChannel, ...]
    ) -> SendResult:
        """Return the ids of an omnimessage. Only one of one channel has an id of its own, that of its channel.

        Args:
            message: the message that was sent.
            omnimessage_id: the id of the omnimessage.
            channels: the channels of the answer.
        """
        is_single = len(message.channels) == len(channels) == 1
        return cls(
            sms_unique_id=channels[0].message_id if is_single else "",
            omnimessage_id=omnimessage_id,
            channels=channels,
        )


class BaseBackend:
    """Send and cancel messages. A backend writes nothing to the database."""

    def send(self, message: OutgoingMessage) -> SendResult:
        """Send one message and return its ids.

        Raises:
            MessageNotSent: the message was certainly not sent.
            OutcomeUnknown: the message may have been sent. It must not be sent again automatically.
        """
        raise NotImplementedError

    def send_bulk(self, messages: Sequence[OutgoingMessage]) -> list[SendResult | Exception]:
        """Send several messages of one account; return the ids or the error of each, in their order.

        The send queue calls it with ``QUEUE_BULK``. Here it calls `send` for each message.

        Args:
            messages: the messages, at most 1,000.

        Raises:
            MessageNotSent: none of them was sent.
            OutcomeUnknown: each of them may have been sent.
        """
        results = list[SendResult | Exception]()
        for message in messages:
            try:
                results.append(self.send(message))
            except Exception as exc:  # noqa: BLE001 - an error with one message must not hide the ids of the others
                results.append(exc)
        return results

    def cancel(self, message: SmsMessage) -> None:
        """Cancel a scheduled message.

        Raises:
            UnknownMessage: Messente does not know the message's id.
            CancelRefused: Messente gave any other answer than that the message is cancelled, or none. ``answered`` of
                the exception is then false.
        """
        raise NotImplementedError
