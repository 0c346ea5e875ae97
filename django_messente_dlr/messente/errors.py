"""What can go wrong in speaking with Messente, each with what to do. No sentence here holds a secret."""

from __future__ import annotations

from typing import Any, ClassVar

from django_messente_dlr.messente.response_codes import ResponseCode


class MessenteError(Exception):
    """Anything that goes wrong in speaking with Messente.

    Attributes:
        sms_message: the row of the message, where ``send_sms`` raises it; None otherwise.
    """

    sms_message: Any = None


class MalformedReport(MessenteError, ValueError):
    """What came cannot be a delivery report; the message says why."""


class ConnectionFailed(MessenteError):
    """No host could be reached: the request has certainly not arrived."""


class HostUnavailable(ConnectionFailed):
    """Every host has failed a moment ago and is left alone for a while; nobody was asked.

    Attributes:
        retry_after: the seconds until one of them may be asked again.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(MessenteError):
    """The request may have arrived, but no answer came. To send again could send twice."""


class ServerFailure(MessenteError):
    """Messente's servers failed (HTTP 5xx, or ``FAILED 209``). Try again later."""


class RateLimited(MessenteError):
    """Messente asks for fewer requests (HTTP 429).

    Attributes:
        retry_after: the seconds that Messente asks to wait, or None where it does not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreadableResponse(MessenteError):
    """Messente answered something that we do not understand; the message quotes its beginning."""


class RequestRefused(MessenteError):
    """Messente answered, and refused.

    Attributes:
        answer: what it answered, such as ``ERROR 111``.
        code: the answer's entry in the table of codes, or None for one that we do not know.
    """

    usual: ClassVar[ResponseCode | None] = None  # what it stands for where it is told by an HTTP status

    def __init__(self, answer: str) -> None:
        super().__init__(answer)  # alone, so that a copy of the error says the same
        self.answer = answer
        self.code = ResponseCode.from_code(answer) or self.usual

    def __str__(self) -> str:
        told = f"{self.code.meaning} {self.code.advice}" if self.code else "Its code is not in our table."
        return f"Messente answered «{self.answer}». {told}"


class CredentialsRefused(RequestRefused):
    """The user name or the password is wrong (``ERROR 101``, HTTP 401). Every further call would fail too."""

    usual = ResponseCode.WRONG_CREDENTIALS


class IpAddressRefused(RequestRefused):
    """This server's IP address is not allowed (``ERROR 103``). Every further call would fail too."""


class UnknownMessage(RequestRefused):
    """Messente does not know the id (``ERROR 107``, HTTP 404): not yet, or not any more."""

    usual = ResponseCode.CREDIT_OR_UNKNOWN_ID
