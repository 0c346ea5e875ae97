"""All exceptions that a project may catch. Import them from here.

The errors of the Messente client are defined in `messente.errors`.
"""

from __future__ import annotations

from django_messente_dlr.messente.errors import (
    ConnectionFailed,
    CredentialsRefused,
    HostUnavailable,
    IpAddressRefused,
    MalformedReport,
    MessenteError,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServerFailure,
    UnknownMessage,
    UnreadableResponse,
)

__all__ = [
    "ConnectionFailed",
    "CredentialsRefused",
    "CreditsExhausted",
    "HostUnavailable",
    "IpAddressRefused",
    "MalformedReport",
    "MessenteError",
    "OutcomeUnknown",
    "RateLimited",
    "RequestRefused",
    "SendInsideTransaction",
    "ServerFailure",
    "UnknownMessage",
    "UnreadableResponse",
]


class CreditsExhausted(MessenteError):
    """The account has a credit hold, so the message was not sent and nothing was stored.

    Add credits at Messente. The hold ends at the next balance check above ``CREDIT_FLOOR`` (``poll_dlrs``), or when a
    person ends it in the admin. The exception's text contains the time before which no balance check ends it.
    """


class SendInsideTransaction(RuntimeError):
    """``send_sms`` was called inside a transaction. A rollback would delete the row of a message that was sent."""
