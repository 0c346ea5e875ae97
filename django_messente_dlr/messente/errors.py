"""The exceptions of the Messente client. Their texts contain no password.

Projects import them from `django_messente_dlr.exceptions`.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext

from django_messente_dlr.messente.log_text import one_line
from django_messente_dlr.messente.response_codes import ResponseCode

# The beginning of a refusal by the SMS API.
RESPONSE_CODE = re.compile(r"ERROR|FAILED", re.IGNORECASE)


class MessenteError(Exception):
    """The base class of the errors of the Messente client, except `OutcomeUnknown`.

    `send_sms` and `send_message` raise `MessageNotSent` instead. The error is its ``__cause__``.
    """


class MalformedReport(MessenteError, ValueError):
    """The received data is not a valid delivery report. The text names the defect."""


class ConnectionFailed(MessenteError):
    """No host could be reached. The request has certainly not arrived."""


class HostUnavailable(ConnectionFailed):
    """Every host failed recently and is skipped for a while. No request was made.

    Attributes:
        retry_after: the seconds until a host may be used again.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoResponse(MessenteError):
    """The request may have arrived, but no response came back. It sends nothing, so it can be repeated."""


class OutcomeUnknown(Exception):
    """Messente may have sent the message: no usable response came back. Sending again could send it twice.

    It is not a `MessenteError`, so that a handler that sends again after one of these does not catch it by mistake.

    Attributes:
        sms_message: the row of the message if ``send_sms`` or ``send_message`` raised the error, else None.
    """

    sms_message: Any = None


class ServerFailure(MessenteError):
    """Messente's servers failed (HTTP 5xx or ``FAILED 209``). Try again later."""


class RateLimited(MessenteError):
    """Messente requires fewer requests (HTTP 429).

    Attributes:
        retry_after: the seconds to wait according to Messente, or None if the response does not state them.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RecipientForbidden(MessenteError):
    """``ALLOWED_RECIPIENTS`` does not contain the recipient. No request was made."""


class UnreadableResponse(MessenteError):
    """Messente's response has an unexpected format. The text quotes its beginning."""


class RequestRefused(MessenteError):
    """Messente refused the request.

    Attributes:
        answer: the text of the response, such as ``ERROR 111`` or ``HTTP 401``.
        code: the response code, or None for an unknown code.
    """

    def __init__(self, answer: str) -> None:
        # Pickling and copying call __init__ with Exception.args, so args holds the answer and not the full text.
        super().__init__(answer)
        self.answer = answer
        self.code = ResponseCode.from_code(answer)

    def __str__(self) -> str:
        text = gettext('Messente answered "%(answer)s".') % {"answer": one_line(self.answer)}
        if self.code:
            return f"{text} {self.code.meaning} {self.code.advice}"
        # The titles of the Omnichannel API explain themselves.
        return f"{text} {gettext('The code is unknown.')}" if RESPONSE_CODE.match(self.answer) else text


class CredentialsRefused(RequestRefused):
    """The user name or the password is wrong (``ERROR 101``, HTTP 401). Further calls would fail, too."""


class IpAddressRefused(RequestRefused):
    """The IP address of this server is not allowed (``ERROR 103``). Further calls would fail, too."""


class UnknownMessage(RequestRefused):
    """Messente does not know the message's ID (``ERROR 107``, HTTP 404), either not yet or no longer."""
