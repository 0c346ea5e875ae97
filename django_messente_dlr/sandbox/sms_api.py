"""The SMS API: ``send_sms``, ``get_dlr_response``, ``get_balance`` and ``cancel_sms``, in plain text.

In comes a `Request`, GET or POST, its parameters in the query string or in a form; out goes an `Answer`, whose HTTP
status is 200 also for errors (documentation: «SMS API»).
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
from django_messente_dlr.sandbox.messages import NUMBER, SandboxMessage
from django_messente_dlr.sandbox.server import Answer, Request, plain
from django_messente_dlr.sandbox.state import State

WRONG_CREDENTIALS = "ERROR 101"
WRONG_PARAMETERS = "ERROR 102"
UNKNOWN_ID = "ERROR 107"
NO_REPORT_YET = "FAILED 102"

MAX_PARAMETERS = 100
# Ten digits are enough for minutes and for Unix seconds up to the year 2286.
COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)
# The values that the documentation and the official client name for parameters that take no others.
CHOICES: Mapping[str, frozenset[str]] = {
    "autoconvert": frozenset({"on", "full", "off"}),
    "text-store": frozenset({"plaintext", "sha256", "nostore"}),
}
_WORDS = {
    DeliveryClass.SENT: "OK SENT",
    DeliveryClass.FAILED: "OK FAILED",
    DeliveryClass.REJECTED: "OK FAILED",
    DeliveryClass.DELIVERED: "OK DELIVERED",
    DeliveryClass.SEEN: "OK DELIVERED",
}


class SmsApi:
    """Answers the calls of the SMS API.

    Args:
        state: what the sandbox knows.
        callback_sender: tells the reports of what is sent.
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

    def answer(self, request: Request) -> Answer | None:
        """Return the answer to a call, or None if the path is none of this API's."""
        if request.path not in self._endpoints:
            return None
        return replace(self._answer(request), endpoint=request.path)

    def _answer(self, request: Request) -> Answer:
        if request.method not in {"GET", "POST"}:
            return replace(plain("HTTP 405"), headers=(("Allow", "GET, POST"),))
        told = parameters_of(request)
        if told is None or not (told.get("username") and told.get("password")):
            return plain(WRONG_PARAMETERS)
        if not self._state.accepts(told["username"], told["password"]):
            return plain(WRONG_CREDENTIALS)
        return self._endpoints[request.path](told)

    def _send(self, told: Mapping[str, str]) -> Answer:
        message = _message(told)
        if message is None:
            return plain(WRONG_PARAMETERS)
        refusal = self._state.refusal_for(message.recipient)
        if refusal is not None:
            return plain(refusal, recipient=message.recipient)
        self._state.add_sms(message)
        then = self._callback_sender.accept(message)
        answer = plain(f"OK {message.message_id}", recipient=message.recipient)
        return replace(answer, summary="OK", times_out=message.scenario.times_out, then=then)

    def _report(self, told: Mapping[str, str]) -> Answer:
        message = self._find(told)
        if message is None:
            return plain(UNKNOWN_ID if told.get("sms_unique_id") else WRONG_PARAMETERS)
        answer = self._state.asked(message) or report_of(message)
        return plain(answer, recipient=message.recipient)

    def _balance(self, told: Mapping[str, str]) -> Answer:
        return plain(f"OK {self._state.balance:.2f}")

    def _cancel(self, told: Mapping[str, str]) -> Answer:
        message = self._find(told)
        if message is None:
            return plain(UNKNOWN_ID if told.get("sms_unique_id") else WRONG_PARAMETERS)
        # What Messente says when it is too late is not documented. Here nothing is left to be found then.
        answer = "OK DELETED" if self._state.cancel(message) else UNKNOWN_ID
        return plain(answer, recipient=message.recipient)

    def _find(self, told: Mapping[str, str]) -> SandboxMessage | None:
        return self._state.sms(told.get("sms_unique_id", ""), account=told["username"])


def parameters_of(request: Request) -> dict[str, str] | None:
    """Return the parameters of the query string and of the form in the body; None if they cannot be read.

    Where both name the same one, the body's counts.
    """
    told = [request.query]
    if request.method == "POST" and request.content_type in {"", "application/x-www-form-urlencoded"}:
        told.append(request.body.decode("utf-8", "replace"))
    parameters: dict[str, str] = {}
    try:
        for text in told:
            parameters |= parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return None
    return parameters


def report_of(message: SandboxMessage) -> str:
    """Return what ``get_dlr_response`` truthfully says of a message."""
    if message.report is None:
        return NO_REPORT_YET
    decided = message.delivery_class
    # Something happened that nobody has a word for: it was sent, and that is all that can be said.
    return _WORDS[decided] if decided else "OK SENT"


def _message(told: Mapping[str, str]) -> SandboxMessage | None:
    """Return the message that the parameters of ``send_sms`` describe, or None if something is wrong with them."""
    recipient = told.get("to", "").strip()
    moment, validity = told.get("time_to_send", ""), told.get("validity", "0")
    if not NUMBER.fullmatch(recipient) or not told.get("text"):
        return None
    if not COUNT.fullmatch(validity) or (moment and not COUNT.fullmatch(moment)):
        return None
    if any(told[name] not in allowed for name, allowed in CHOICES.items() if name in told):
        return None
    return SandboxMessage(
        # An id is any text. Some clients take «OK » off an answer by lstrip("OK "), which eats the beginning of an id
        # like this one, too: it shows them up.
        message_id=f"OK{secrets.token_hex(15)}",
        account=told["username"],
        recipient=recipient,
        sender=told.get("from", ""),
        text=told["text"],
        dlr_url=told.get("dlr-url", ""),
        send_at=datetime.fromtimestamp(int(moment), UTC) if moment else None,
    )
