"""Exceptions that a project may catch.

The errors of the Messente client are defined in `messente.errors`. Import all of them from here.
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
    """The account is known to be out of credits, so Messente was not called and nothing was stored.

    Add credit; the hold ends with the next balance check (``poll_dlrs``), or in the admin.
    """


class SendInsideTransaction(RuntimeError):
    """``send_sms`` was called inside a transaction, which could still undo the row of a message that was sent."""
