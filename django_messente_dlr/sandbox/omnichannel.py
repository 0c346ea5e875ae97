"""The Omnichannel API: send omnimessages, get their status, and cancel them, in JSON and with HTTP Basic.

Paths and HTTP statuses are those of Messente's own client (messente-api: ``OmnimessageApi``, ``BulkMessagingApi``,
``DeliveryReportApi``).
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
from django_messente_dlr.sandbox.channel_content import InvalidOmnimessageError
from django_messente_dlr.sandbox.http_types import JSON, Request, Response
from django_messente_dlr.sandbox.messages import ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.omnichannel_errors import (
    INVALID,
    NOT_ALLOWED,
    NOT_FOUND,
    SERVER_ERROR,
    TOO_LATE,
    TOO_LATE_DETAIL,
    TRANSLATED,
    UNAUTHORIZED,
    error_response,
    invalid_response,
    json_response,
    scenario_response,
)
from django_messente_dlr.sandbox.omnichannel_parser import parse_bulk, parse_object, parse_omnimessage
from django_messente_dlr.sandbox.scenario import ACCEPTED
from django_messente_dlr.sandbox.state import CancelResult, State

ROOT = "/v1/omnimessage"
BULK = "/v1/omnimessages"
PATH = re.compile(rf"{BULK}|{ROOT}(?:/(?P<id>[^/]{{1,128}})(?P<status>/status)?)?", re.ASCII)


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
        name = BULK if request.path == BULK else ROOT + ("/…" if match["id"] else "") + (match["status"] or "")
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
            send = self._send_bulk if request.path == BULK else self._send_one
            try:
                return send(request.body, account)
            except InvalidOmnimessageError as exc:
                return invalid_response(exc)
        messages = self._state.omnimessage(omnimessage_id, account=account)
        if not messages:
            return error_response(NOT_FOUND, "There is no omnimessage with this id.")
        return self._status(omnimessage_id, messages) if status else self._cancel(messages)

    def _send_one(self, body: bytes, account: str) -> Response:
        return self._send(parse_object(body), account)

    def _send_bulk(self, body: bytes, account: str) -> Response:
        """Send each omnimessage, and return their responses in the order of the request."""
        responses = [self._send(payload, account) for payload in parse_bulk(body)]

        def on_sent() -> None:
            for response in responses:
                if response.on_sent:
                    response.on_sent()

        return replace(
            json_response({"messages": [_bulk_item(response) for response in responses]}, status=201),
            summary=f"{sum(response.status == 201 for response in responses)} of {len(responses)} accepted",
            times_out=any(response.times_out for response in responses),
            on_sent=on_sent,
        )

    def _send(self, payload: object, account: str) -> Response:
        try:
            messages = parse_omnimessage(payload, account=account)
        except InvalidOmnimessageError as exc:
            return invalid_response(exc)
        first = messages[0]
        refusal = self._state.refusal_for(first.recipient)
        if refusal is not None:
            error = INVALID if refusal == "ERROR 107" else TRANSLATED.get(refusal, INVALID)
            return scenario_response(refusal, error, recipient=first.recipient)
        self._state.add_omnimessage(first.omnimessage_id, messages)
        on_sent = self._callback_sender.accept(first)
        sent = {
            "messages": [
                {"message_id": message.message_id, "channel": message.channel, "sender": message.sender}
                for message in messages
            ],
            "to": first.recipient,
            "omnimessage_id": first.omnimessage_id,
        }
        return replace(
            json_response(sent, status=201),
            recipient=first.recipient,
            times_out=first.scenario.times_out,
            on_sent=on_sent,
            summary="OK",
        )

    def _status(self, omnimessage_id: str, messages: tuple[SandboxMessage, ...]) -> Response:
        """Return the status of each channel in the order of sending, also of those that are not tried yet."""
        first = messages[0]
        prescribed = self._state.record_poll(first)
        events = [message.report for message in messages]
        if prescribed in {"OK SENT", "FAILED 102"}:
            events = [None for message in messages]
            if prescribed == "OK SENT":
                events[0] = ReportEvent(step=ACCEPTED, at=datetime.now(UTC))
        elif prescribed is not None:
            error = TRANSLATED.get(prescribed, SERVER_ERROR)
            return scenario_response(prescribed, error, recipient=first.recipient)
        payload = {
            "statuses": [status_of(message, event) for message, event in zip(messages, events, strict=True)],
            "to": first.recipient,
            "omnimessage_id": omnimessage_id,
        }
        summary = ", ".join(event.step.stat for event in events if event) or "no report yet"
        return replace(json_response(payload), recipient=first.recipient, summary=summary)

    def _cancel(self, messages: tuple[SandboxMessage, ...]) -> Response:
        result = self._callback_sender.cancel(*messages)
        if result is CancelResult.CANCELLED:
            response = replace(json_response({}, status=202), summary="cancelled")
        elif result is CancelResult.TOO_LATE:
            response = replace(error_response(TOO_LATE, TOO_LATE_DETAIL), summary="too late (a guess)")
        else:
            response = error_response(NOT_FOUND, "The omnimessage with this id was cancelled before.")
        return replace(response, recipient=messages[0].recipient)

    def _authenticate(self, authorization: str) -> str | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            username, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        is_valid = scheme.lower() == "basic" and self._state.accepts(username, password)
        return username if is_valid else None


def _bulk_item(response: Response) -> Any:
    """Return the object in the response to a bulk request: the body of a response in JSON, else an error."""
    if response.content_type != JSON:  # a scenario prescribes an HTTP status, which an item does not have
        response = error_response(SERVER_ERROR, f"The sandbox's scenario for this recipient is {response.body}.")
    return json.loads(response.body)
