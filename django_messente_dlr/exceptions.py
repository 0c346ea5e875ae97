"""All exceptions that a project may catch. Import them from here.

The errors of the Messente client are defined in `messente.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_messente_dlr.messente.errors import (
    ConnectionFailed,
    CredentialsRefused,
    HostUnavailable,
    IpAddressRefused,
    MalformedReport,
    MessenteError,
    NoResponse,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailure,
    UnknownMessage,
    UnreadableResponse,
)

if TYPE_CHECKING:
    from django_messente_dlr.messente.codes import ErrorCode
    from django_messente_dlr.models import SmsMessage

__all__ = [
    "CancelRefused",
    "ConnectionFailed",
    "CredentialsRefused",
    "CreditsExhausted",
    "HostUnavailable",
    "IpAddressRefused",
    "MalformedReport",
    "MessageNotSent",
    "MessenteError",
    "NoResponse",
    "OutcomeUnknown",
    "QueueItemInvalid",
    "RateLimited",
    "RecipientNotAllowed",
    "RequestRefused",
    "SendInsideTransaction",
    "ServerFailure",
    "UnknownMessage",
    "UnreadableResponse",
]


class MessageNotSent(Exception):
    """The message was certainly not sent: Messente refused it, or the request did not reach Messente.

    It has no base class in common with `OutcomeUnknown` except Exception, so that no handler that sends again catches
    both by mistake.

    Args:
        message: the text of the exception.
        temporary: whether the same message may succeed later: no connection, HTTP 429, or a server failure.
        cause: the error code that explains the refusal, if there is one.
        retry_after: the seconds that Messente requires before another request, or None.

    Attributes:
        sms_message: the row of the message, or None if none was stored.
    """

    def __init__(
        self,
        message: str,
        *,
        temporary: bool = False,
        cause: ErrorCode | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.temporary = temporary
        self.cause = cause
        self.retry_after = retry_after
        self.sms_message: SmsMessage | None = None


class CreditsExhausted(MessageNotSent):
    """The account has a credit hold, so the message was not sent and nothing was stored.

    Add credits at Messente. The hold ends at the next balance check above ``CREDIT_FLOOR`` (``poll_dlrs``), or when a
    person ends it in the admin. The exception's text contains the time before which no balance check ends it.
    """


class SendInsideTransaction(RuntimeError):
    """``send_sms`` was called inside a transaction. A rollback would delete the row of a message that was sent."""


class RecipientNotAllowed(MessageNotSent):
    """``ALLOWED_RECIPIENTS`` does not contain the recipient, so nothing was sent.

    ``prepare_sms`` also raises it while ``OVERRIDE_RECIPIENT`` is set.
    """


class QueueItemInvalid(ValueError):
    """An item of ``queue_many`` cannot be sent. Its batch is not queued; the cause is the exception's ``__cause__``.

    Args:
        reason: why it cannot be sent.
        index: its place among the items, from 0.
        queued: the number of items before its batch, which are queued.

    Attributes:
        index: the place of the item.
        queued: the number of items that are queued. Correct the item, and pass the items from this place on.
    """

    def __init__(self, reason: str, *, index: int, queued: int) -> None:
        before = f"The {queued} items before its batch are queued" if queued else "Nothing was queued"
        super().__init__(f"Item {index} cannot be queued: {reason} {before}. Pass the items from {queued} on again.")
        self.index = index
        self.queued = queued


class CancelRefused(Exception):
    """Messente did not confirm that the message is cancelled, so its status is unchanged.

    Args:
        message: the text of the exception, which quotes the masked answer.
        answered: whether Messente answered that it did not cancel the message.

    Attributes:
        answered: False after no connection, no answer, a failure of Messente's servers or an unreadable answer. The
            message may then be cancelled at Messente. Call ``cancel`` again: if that raises `UnknownMessage`, the
            earlier request has probably cancelled it.
    """

    def __init__(self, message: str, *, answered: bool = True) -> None:
        super().__init__(message)
        self.answered = answered
