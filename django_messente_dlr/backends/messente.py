"""The backend that sends by Messente: by the Omnichannel API, or one SMS by the SMS API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from django_messente_dlr.accounts.clients import client_for
from django_messente_dlr.backends.base import BaseBackend, OutgoingMessage, SendResult
from django_messente_dlr.exceptions import CancelRefused, MessageNotSent
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.omnichannel_answers import AcceptedOmnimessage
from django_messente_dlr.messente.response_codes import ResponseCode
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.utils import masking
from django_messente_dlr.utils.phone_numbers import with_plus

# The same message may succeed later. A ServerFailure of a send is FAILED 209, as HTTP 5xx is an unknown outcome.
TEMPORARY_ERRORS = (errors.ConnectionFailed, errors.RateLimited, errors.ServerFailure)
# None of these shows whether a message was cancelled.
UNANSWERED = (errors.ConnectionFailed, errors.NoResponse, errors.ServerFailure, errors.UnreadableResponse)
# ERROR 107 is missing: its meaning differs between Messente's documents, so it starts no credit hold.
CAUSES: Mapping[ResponseCode, ErrorCode] = {
    ResponseCode.BLACKLISTED: ErrorCode.BLACKLISTED,
    ResponseCode.SENDER_NOT_ACTIVATED: ErrorCode.SENDER_NOT_ALLOWED,
}


class Backend(BaseBackend):
    """Send and cancel messages at Messente, with the credentials of the message's account."""

    def send(self, message: OutgoingMessage) -> SendResult:
        """Send one message and return its ids. It is never sent twice."""
        client = client_for(message.account)
        try:
            if message.api == "sms":
                return SendResult(sms_unique_id=client.send(message.to, **sms_parameters(message)))
            accepted = client.send_omnimessage(omnimessage(message))
            return SendResult.of_omnimessage(message, accepted.omnimessage_id, accepted.channels)
        except errors.MessenteError as exc:
            raise not_sent(exc) from exc

    def send_bulk(self, messages: Sequence[OutgoingMessage]) -> list[SendResult | Exception]:
        """Send messages of one account in one request of the Omnichannel API, if all of them are for it."""
        if len(messages) < 2 or any(message.api != "omnichannel" for message in messages):
            return super().send_bulk(messages)
        client = client_for(messages[0].account)
        try:
            answers = client.send_omnimessages([omnimessage(message) for message in messages])
        except errors.MessenteError as exc:
            raise not_sent(exc) from exc
        return [_bulk_result(message, answer) for message, answer in zip(messages, answers, strict=True)]

    def cancel(self, message: SmsMessage) -> None:
        """Cancel a scheduled message. No answer is `CancelRefused`, too: cancelling again does no harm."""
        client = client_for(message.account)
        try:
            if message.omnimessage_id:
                client.cancel_omnimessage(message.omnimessage_id)
            else:
                client.cancel(message.sms_unique_id or "")
        except errors.UnknownMessage:
            raise
        except errors.MessenteError as exc:
            answered = not isinstance(exc, UNANSWERED)
            raise CancelRefused(masking.mask_in_text(str(exc)), answered=answered) from exc


def _bulk_result(
    message: OutgoingMessage, answer: AcceptedOmnimessage | errors.RequestRefused | errors.OutcomeUnknown
) -> SendResult | Exception:
    """Return what `Backend.send` would have returned or raised for one message of a bulk request."""
    if isinstance(answer, errors.RequestRefused):
        refusal = not_sent(answer)
        refusal.__cause__ = answer
        return refusal
    if isinstance(answer, errors.OutcomeUnknown):
        return answer
    return SendResult.of_omnimessage(message, answer.omnimessage_id, answer.channels)


def omnimessage(message: OutgoingMessage) -> dict[str, Any]:
    """Return a message as the JSON object of the Omnichannel API.

    Args:
        message: the message.
    """
    values = {
        "to": with_plus(message.to),
        "messages": [dict(channel) for channel in message.channels],
        "dlr_url": message.dlr_url,
        "time_to_send": message.send_at.astimezone(UTC).isoformat(timespec="seconds") if message.send_at else "",
        "priority": message.priority,
        "text_store": message.text_store,
    }
    return {name: value for name, value in values.items() if value}


def sms_parameters(message: OutgoingMessage) -> dict[str, Any]:
    """Return the arguments of `MessenteClient.send` for a message of one SMS, without the recipient.

    Args:
        message: the message.
    """
    (channel,) = message.channels
    validity = channel.get("validity")
    values = {
        "text": channel["text"],
        "dlr_url": message.dlr_url,
        "sender": channel.get("sender"),
        "validity": validity,
        "autoconvert": channel.get("autoconvert"),
        "udh": channel.get("udh"),
        "charset": message.charset,
        "text_store": message.text_store,
        "time_to_send": int(message.send_at.timestamp()) if message.send_at else None,
    }
    return {name: value for name, value in values.items() if value}


def not_sent(error: errors.MessenteError) -> MessageNotSent:
    """Return the exception for a message that was certainly not sent.

    Args:
        error: the error of the client.
    """
    code = error.code if isinstance(error, errors.RequestRefused) else None
    return MessageNotSent(
        masking.mask_in_text(str(error)),
        temporary=isinstance(error, TEMPORARY_ERRORS),
        cause=CAUSES.get(code) if code else None,
        retry_after=getattr(error, "retry_after", None),
    )
