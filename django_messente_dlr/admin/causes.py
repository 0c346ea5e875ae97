"""Why a message failed, what to do about it, and whether sending it again may help.

Three sources, in this order: the error code of a report, the response code in Messente's answer to sending, and the
text of the error.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext

from django_messente_dlr.admin import rendering
from django_messente_dlr.admin.formatting import EMPTY
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status

# The causes that may end without a change of the number, the text, the sender or the account.
TEMPORARY: set[ErrorCode | ResponseCode] = {
    ErrorCode.DELIVERY_FAILURE,
    ErrorCode.EXPIRED,
    ResponseCode.SERVER_FAILURE,
}

COLUMN_LENGTH = 255  # of `SmsMessage.error_text`
# The text of a failure of Messente's servers quotes the code. The text of a refused message is the code.
QUOTED = re.compile(r'answered "([^"]*)"')


def cause_text(message: SmsMessage, error_text: str) -> str:
    """Return the cause of the failure of a message, or a dash if it did not fail.

    Args:
        message: the message.
        error_text: its error text, as the user may see it.
    """
    if not Status(message.status).is_failure:
        return EMPTY
    if message.err:
        return rendering.error_code_text(message.err)
    if code := _response_code(message):
        return str(code.meaning)
    return error_text or gettext("No cause reported")


def advice_text(message: SmsMessage) -> str:
    """Return the advice for a failed message, or a dash without one."""
    if not Status(message.status).is_failure:
        return EMPTY
    if code := _code(message):
        return str(code.advice)
    if message.err or message.sent_at:
        return EMPTY
    if message.status == Status.REJECTED:
        return gettext("Check the recipient, the text and the sender of this message, or ask Messente's support.")
    return gettext(
        "Messente did not accept the message. Correct what the cause describes, then send the message again."
    )


def resend_may_help(message: SmsMessage) -> bool:
    """Return whether a failed message may reach its recipient if it is sent again without a change."""
    if not Status(message.status).is_failure or message.status == Status.REJECTED:
        return False
    code = _code(message)
    return code in TEMPORARY if code else not message.err


def full_error_text(message: SmsMessage) -> str:
    """Return the error text of a message, without the limit of its column: the response to sending has all of it."""
    if len(message.error_text) >= COLUMN_LENGTH:
        reports = DeliveryReport.objects.filter(message=message, source=Source.SEND.value)
        for payload in reports.values_list("payload", flat=True):
            if str(payload.get("answer", "")).startswith(message.error_text):
                return str(payload["answer"])
    return str(message.error_text)


def _code(message: SmsMessage) -> ErrorCode | ResponseCode | None:
    return message.cause if message.err else _response_code(message)


def _response_code(message: SmsMessage) -> ResponseCode | None:
    quoted = QUOTED.search(message.error_text)
    return ResponseCode.from_code(quoted[1] if quoted else message.error_text)
