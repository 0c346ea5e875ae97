"""The Omnichannel API: send an omnimessage, get its status, and cancel it, in JSON and with HTTP Basic.

Paths, HTTP statuses and error codes are those of Messente's own client (messente-api: ``OmnimessageApi``,
``DeliveryReportApi``, ``ErrorCodeOmnichannel``).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django_messente_dlr.sandbox.callback_sender import CallbackSender
from django_messente_dlr.sandbox.callbacks import status_of
from django_messente_dlr.sandbox.http_types import JSON, Request, Response, text_response
from django_messente_dlr.sandbox.messages import ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.omnichannel_parser import InvalidOmnimessageError, parse_omnimessage
from django_messente_dlr.sandbox.scenarios import ACCEPTED
from django_messente_dlr.sandbox.state import State

ROOT = "/v1/omnimessage"
PATH = re.compile(rf"{ROOT}(?:/(?P<id>[^/]{{1,128}})(?P<status>/status)?)?", re.ASCII)

# HTTP status, code and title of each error. These codes are unrelated to the codes of the SMS API.
NOT_FOUND = (404, "101", "Not found")
FORBIDDEN = (403, "102", "Forbidden")
UNAUTHORIZED = (401, "103", "Unauthorized")
SERVER_ERROR = (500, "104", "Internal Server Error")
INVALID = (400, "105", "Invalid data")
MISSING = (400, "106", "Missing data")
NOT_ALLOWED = (405, "107", "Method not allowed")
# Scenarios prescribe the responses of the SMS API; these are the errors of this API for them. Only the first is
# documented.
TRANSLATED = {"ERROR 107": NOT_FOUND, "FAILED 209": SERVER_ERROR, "ERROR 103": FORBIDDEN}


class OmnichannelApi:
    """Respond to the requests of the Omnichannel API.

    Args:
        state: the accounts and messages.
        callback_sender: sends the callbacks of accepted messages.
    """

    def __init__(self, state: State, callback_sender: CallbackSender) -> None:
        self._state = state
        self._callback_sender = callback_sender

    def respond(self, request: Request) -> Response | None:
        """Return the response to a request, or None if its path does not belong to this API."""
        match = PATH.fullmatch(request.path)
        if match is None:
            return None
        name = ROOT + ("/…" if match["id"] else "") + (match["status"] or "")
        return replace(self._respond(request, match["id"], status=bool(match["status"])), endpoint=name)

    def _respond(self, request: Request, omnimessage_id: str | None, *, status: bool) -> Response:
        account = self._authenticate(request.authorization)
        if account is None:
            response = error_response(UNAUTHORIZED, "The user name or the password is wrong.")
            return replace(response, headers=(("WWW-Authenticate", 'Basic realm="Messente sandbox"'),))
        allowed = "POST" if omnimessage_id is None else "GET" if status else "DELETE"
        if request.method != allowed:
            response = error_response(NOT_ALLOWED, f"This path allows {allowed} only.")
            return replace(response, headers=(("Allow", allowed),))
        if omnimessage_id is None:
            return self._send(request.body, account)
        messages = self._state.omnimessage(omnimessage_id, account=account)
        if not messages:
            return error_response(NOT_FOUND, "There is no omnimessage with this id.")
        return self._status(omnimessage_id, messages) if status else self._cancel(messages)

    def _send(self, body: bytes, account: str) -> Response:
        try:
            messages = parse_omnimessage(body, account=account)
        except InvalidOmnimessageError as exc:
            return error_response(MISSING if exc.missing else INVALID, str(exc), source=exc.source)
        # Messente uses the channels after the first one as fallbacks. The sandbox never falls back to them.
        first = messages[0]
        refusal = self._state.refusal_for(first.recipient)
        if refusal is not None:
            error = INVALID if refusal == "ERROR 107" else TRANSLATED.get(refusal, INVALID)
            return replace(scenario_error_response(refusal, error), recipient=first.recipient)
        self._state.add_omnimessage(first.omnimessage_id, messages)
        on_sent = self._callback_sender.accept(first)
        payload = {
            "messages": [
                {"message_id": message.message_id, "channel": message.channel, "sender": message.sender}
                for message in messages
            ],
            "to": first.recipient,
            "omnimessage_id": first.omnimessage_id,
        }
        return replace(
            json_response(payload, status=201),
            recipient=first.recipient,
            times_out=first.scenario.times_out,
            on_sent=on_sent,
            summary="OK",
        )

    def _status(self, omnimessage_id: str, messages: tuple[SandboxMessage, ...]) -> Response:
        first = messages[0]
        prescribed = self._state.record_poll(first)
        event = first.report
        if prescribed == "OK SENT":
            event = ReportEvent(step=ACCEPTED, at=datetime.now(UTC))
        elif prescribed == "FAILED 102":
            event = None
        elif prescribed is not None:
            error = TRANSLATED.get(prescribed, SERVER_ERROR)
            return replace(scenario_error_response(prescribed, error), recipient=first.recipient)
        payload = {
            "statuses": [status_of(first, event), *(status_of(message, None) for message in messages[1:])],
            "to": first.recipient,
            "omnimessage_id": omnimessage_id,
        }
        return replace(
            json_response(payload), recipient=first.recipient, summary=event.step.stat if event else "no report yet"
        )

    def _cancel(self, messages: tuple[SandboxMessage, ...]) -> Response:
        # Messente's response to a late cancellation is not documented. The sandbox responds with 404.
        if not self._state.cancel(*messages):
            return error_response(NOT_FOUND, "There is no omnimessage with this id that can still be cancelled.")
        return replace(json_response({}, status=202), recipient=messages[0].recipient, summary="cancelled")

    def _authenticate(self, authorization: str) -> str | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            username, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        is_valid = scheme.lower() == "basic" and self._state.accepts(username, password)
        return username if is_valid else None


def json_response(payload: dict[str, Any], *, status: int = 200) -> Response:
    """Return a response in JSON."""
    return Response(body=json.dumps(payload), status=status, content_type=JSON)


def error_response(error: tuple[int, str, str], detail: str, *, source: str | None = None) -> Response:
    """Return an error in the format of the Omnichannel API.

    Args:
        error: HTTP status, code and title.
        detail: a sentence that describes the error.
        source: the invalid field, if there is one.
    """
    status, code, title = error
    payload = {"errors": [{"title": title, "detail": detail, "code": code, "source": source}]}
    return replace(json_response(payload, status=status), summary=title)


def scenario_error_response(prescribed: str, error: tuple[int, str, str]) -> Response:
    """Return the response of this API where a scenario prescribes an error of the SMS API.

    Args:
        prescribed: the response in the SMS API, such as ``ERROR 103`` or ``HTTP 429``.
        error: HTTP status, code and title, used unless ``prescribed`` is an HTTP status.
    """
    if prescribed.startswith("HTTP "):
        return text_response(prescribed)
    return error_response(error, f"The sandbox's scenario for this recipient is {prescribed}.")
