"""The SMS API: ``send_sms``, ``get_dlr_response``, ``get_balance`` and ``cancel_sms``, in plain text.

A request is a GET or a POST, with its parameters in the query string or in a form. The HTTP status of a response is
200 even for errors (Messente's documentation, "SMS API").
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from django_messente_dlr.messente.codes import DeliveryClass
from django_messente_dlr.sandbox.callback_sender import CallbackSender
from django_messente_dlr.sandbox.http_types import Request, Response, text_response
from django_messente_dlr.sandbox.messages import NUMBER, SandboxMessage
from django_messente_dlr.sandbox.state import CancelResult, State

WRONG_CREDENTIALS = "ERROR 101"
WRONG_PARAMETERS = "ERROR 102"
UNKNOWN_ID = "ERROR 107"
NO_REPORT_YET = "FAILED 102"
# Messente's response to a late cancellation is not documented. This one cannot be mistaken for Messente's: the code
# does not exist, and the text states that it is a guess.
TOO_LATE = "ERROR 999 too late to cancel (a guess of the sandbox)"
CANCEL_RESPONSES = {
    CancelResult.CANCELLED: "OK DELETED",
    CancelResult.UNKNOWN: UNKNOWN_ID,
    CancelResult.TOO_LATE: TOO_LATE,
}

MAX_PARAMETERS = 100
# Ten digits are enough for minutes, and for Unix seconds up to the year 2286.
COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)
# The values that the documentation and the official client list for the parameters with fixed choices.
CHOICES: Mapping[str, frozenset[str]] = {
    "autoconvert": frozenset({"on", "full", "off"}),
    "text-store": frozenset({"plaintext", "sha256", "nostore"}),
}
_POLL_RESPONSES = {
    DeliveryClass.SENT: "OK SENT",
    DeliveryClass.FAILED: "OK FAILED",
    DeliveryClass.REJECTED: "OK FAILED",
    DeliveryClass.DELIVERED: "OK DELIVERED",
    DeliveryClass.SEEN: "OK DELIVERED",
}


class SmsApi:
    """Respond to the requests of the SMS API.

    Args:
        state: the accounts and messages.
        callback_sender: sends the callbacks of accepted messages.
    """

    def __init__(self, state: State, callback_sender: CallbackSender) -> None:
        self._state = state
        self._callback_sender = callback_sender
        self._endpoints = {
            "/send_sms": self._send,
            "/get_dlr_response": self._report,
            "/get_balance": self._balance,
            "/cancel_sms": self._cancel,
        }

    def respond(self, request: Request) -> Response | None:
        """Return the response to a request, or None if its path does not belong to this API."""
        if request.path not in self._endpoints:
            return None
        return replace(self._respond(request), endpoint=request.path)

    def _respond(self, request: Request) -> Response:
        if request.method not in {"GET", "POST"}:
            return replace(text_response("HTTP 405"), headers=(("Allow", "GET, POST"),))
        parameters = parameters_of(request)
        if parameters is None or not (parameters.get("username") and parameters.get("password")):
            return text_response(WRONG_PARAMETERS)
        if not self._state.accepts(parameters["username"], parameters["password"]):
            return text_response(WRONG_CREDENTIALS)
        return self._endpoints[request.path](parameters)

    def _send(self, parameters: Mapping[str, str]) -> Response:
        message = _parse_message(parameters)
        if message is None:
            return text_response(WRONG_PARAMETERS)
        refusal = self._state.refusal_for(message.recipient)
        if refusal is not None:
            return text_response(refusal, recipient=message.recipient)
        self._state.add_sms(message)
        on_sent = self._callback_sender.accept(message)
        response = text_response(f"OK {message.message_id}", recipient=message.recipient)
        return replace(response, summary="OK", times_out=message.scenario.times_out, on_sent=on_sent)

    def _report(self, parameters: Mapping[str, str]) -> Response:
        message = self._find_message(parameters)
        if message is None:
            return text_response(UNKNOWN_ID if parameters.get("sms_unique_id") else WRONG_PARAMETERS)
        body = self._state.record_poll(message) or report_of(message)
        return text_response(body, recipient=message.recipient)

    def _balance(self, parameters: Mapping[str, str]) -> Response:
        return text_response(f"OK {self._state.balance:.2f}")

    def _cancel(self, parameters: Mapping[str, str]) -> Response:
        message = self._find_message(parameters)
        if message is None:
            return text_response(UNKNOWN_ID if parameters.get("sms_unique_id") else WRONG_PARAMETERS)
        return text_response(CANCEL_RESPONSES[self._callback_sender.cancel(message)], recipient=message.recipient)

    def _find_message(self, parameters: Mapping[str, str]) -> SandboxMessage | None:
        return self._state.sms(parameters.get("sms_unique_id", ""), account=parameters["username"])


def parameters_of(request: Request) -> dict[str, str] | None:
    """Return the parameters of the query string and of the form in the body, or None if they cannot be parsed.

    A parameter in the body replaces the one of the same name in the query string.
    """
    sources = [request.query]
    if request.method == "POST" and request.content_type in {"", "application/x-www-form-urlencoded"}:
        sources.append(request.body.decode("utf-8", "replace"))
    parameters: dict[str, str] = {}
    try:
        for source in sources:
            parameters |= parse_qsl(source, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return None
    return parameters


def report_of(message: SandboxMessage) -> str:
    """Return the response of ``get_dlr_response`` that matches the message's reports so far."""
    if message.report is None:
        return NO_REPORT_YET
    delivery_class = message.delivery_class
    # A report without a class still shows that the message was sent.
    return _POLL_RESPONSES[delivery_class] if delivery_class else "OK SENT"


def _parse_message(parameters: Mapping[str, str]) -> SandboxMessage | None:
    """Return the message that the parameters of ``send_sms`` describe, or None if one of them is invalid."""
    recipient = parameters.get("to", "").strip()
    time_to_send, validity = parameters.get("time_to_send", ""), parameters.get("validity", "0")
    if not NUMBER.fullmatch(recipient) or not parameters.get("text"):
        return None
    if not COUNT.fullmatch(validity) or (time_to_send and not COUNT.fullmatch(time_to_send)):
        return None
    if any(parameters[name] not in allowed for name, allowed in CHOICES.items() if name in parameters):
        return None
    return SandboxMessage(
        # An id may be any text. This one starts with "OK", so that clients that remove the response's prefix with
        # lstrip("OK ") fail visibly: that call also removes the beginning of the id.
        message_id=f"OK{secrets.token_hex(15)}",
        account=parameters["username"],
        recipient=recipient,
        sender=parameters.get("from", ""),
        text=parameters["text"],
        dlr_url=parameters.get("dlr-url", ""),
        send_at=datetime.fromtimestamp(int(time_to_send), UTC) if time_to_send else None,
    )
