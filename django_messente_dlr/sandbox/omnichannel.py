"""The Omnichannel API: an omnimessage sent, its status, and its cancelling, in JSON and with HTTP Basic.

In comes a `Request`; out goes an `Answer`. Paths, HTTP statuses and the codes of the errors are those of Messente's
own client (messente-api: ``OmnimessageApi``, ``DeliveryReportApi``, ``ErrorCodeOmnichannel``).
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
from django_messente_dlr.sandbox.messages import ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.omnichannel_parser import InvalidOmnimessageError, parse_omnimessage
from django_messente_dlr.sandbox.scenarios import ACCEPTED
from django_messente_dlr.sandbox.server import JSON, Answer, Request, plain
from django_messente_dlr.sandbox.state import State

ROOT = "/v1/omnimessage"
PATH = re.compile(rf"{ROOT}(?:/(?P<id>[^/]{{1,128}})(?P<status>/status)?)?", re.ASCII)

# HTTP status, code and title of each kind of error. The codes have nothing to do with those of the SMS API.
NOT_FOUND = (404, "101", "Not found")
FORBIDDEN = (403, "102", "Forbidden")
UNAUTHORIZED = (401, "103", "Unauthorized")
SERVER_ERROR = (500, "104", "Internal Server Error")
INVALID = (400, "105", "Invalid data")
MISSING = (400, "106", "Missing data")
NOT_ALLOWED = (405, "107", "Method not allowed")
# How the answers that a fate gives in the words of the SMS API are told here. Only the first is known for certain.
TRANSLATED = {"ERROR 107": NOT_FOUND, "FAILED 209": SERVER_ERROR, "ERROR 103": FORBIDDEN}


class OmnichannelApi:
    """Answers the calls of the Omnichannel API.

    Args:
        state: what the sandbox knows.
        callback_sender: tells the reports of what is sent.
    """

    def __init__(self, state: State, callback_sender: CallbackSender) -> None:
        self._state = state
        self._callback_sender = callback_sender

    def answer(self, request: Request) -> Answer | None:
        """Return the answer to a call, or None if the path is none of this API's."""
        match = PATH.fullmatch(request.path)
        if match is None:
            return None
        name = ROOT + ("/…" if match["id"] else "") + (match["status"] or "")
        return replace(self._answer(request, match["id"], status=bool(match["status"])), endpoint=name)

    def _answer(self, request: Request, omnimessage_id: str | None, *, status: bool) -> Answer:
        account = self._account(request.authorization)
        if account is None:
            answer = error(UNAUTHORIZED, "The user name or the password is wrong.")
            return replace(answer, headers=(("WWW-Authenticate", 'Basic realm="Messente sandbox"'),))
        allowed = "POST" if omnimessage_id is None else "GET" if status else "DELETE"
        if request.method != allowed:
            answer = error(NOT_ALLOWED, f"Only {allowed} is possible here.")
            return replace(answer, headers=(("Allow", allowed),))
        if omnimessage_id is None:
            return self._send(request.body, account)
        messages = self._state.omnimessage(omnimessage_id, account=account)
        if not messages:
            return error(NOT_FOUND, "There is no omnimessage with this id.")
        return self._status(omnimessage_id, messages) if status else self._cancel(messages)

    def _send(self, body: bytes, account: str) -> Answer:
        try:
            messages = parse_omnimessage(body, account=account)
        except InvalidOmnimessageError as exc:
            return error(MISSING if exc.missing else INVALID, str(exc), source=exc.source)
        # The channels after the first are what Messente falls back on. Here nothing falls back: they stay unused.
        first = messages[0]
        refusal = self._state.refusal_for(first.recipient)
        if refusal is not None:
            kind = INVALID if refusal == "ERROR 107" else TRANSLATED.get(refusal, INVALID)
            return replace(told_as(refusal, kind), recipient=first.recipient)
        self._state.add_omnimessage(first.omnimessage_id, messages)
        then = self._callback_sender.accept(first)
        told = {
            "messages": [
                {"message_id": message.message_id, "channel": message.channel, "sender": message.sender}
                for message in messages
            ],
            "to": first.recipient,
            "omnimessage_id": first.omnimessage_id,
        }
        return replace(
            as_json(told, status=201),
            recipient=first.recipient,
            times_out=first.scenario.times_out,
            then=then,
            summary="OK",
        )

    def _status(self, omnimessage_id: str, messages: tuple[SandboxMessage, ...]) -> Answer:
        first = messages[0]
        scripted = self._state.asked(first)
        event = first.report
        if scripted == "OK SENT":
            event = ReportEvent(step=ACCEPTED, at=datetime.now(UTC))
        elif scripted == "FAILED 102":
            event = None
        elif scripted is not None:
            return replace(told_as(scripted, TRANSLATED.get(scripted, SERVER_ERROR)), recipient=first.recipient)
        told = {
            "statuses": [status_of(first, event), *(status_of(message, None) for message in messages[1:])],
            "to": first.recipient,
            "omnimessage_id": omnimessage_id,
        }
        return replace(
            as_json(told), recipient=first.recipient, summary=event.step.stat if event else "no report yet"
        )

    def _cancel(self, messages: tuple[SandboxMessage, ...]) -> Answer:
        # What Messente says when it is too late is not documented. Here nothing is left to be found then.
        if not self._state.cancel(*messages):
            return error(NOT_FOUND, "There is no omnimessage with this id that could still be cancelled.")
        return replace(as_json({}, status=202), recipient=messages[0].recipient, summary="cancelled")

    def _account(self, authorization: str) -> str | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            username, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        known = scheme.lower() == "basic" and self._state.accepts(username, password)
        return username if known else None


def as_json(told: dict[str, Any], *, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(body=json.dumps(told), status=status, content_type=JSON)


def error(kind: tuple[int, str, str], detail: str, *, source: str | None = None) -> Answer:
    """Return an error as the Omnichannel API tells it.

    Args:
        kind: HTTP status, code and title.
        detail: a sentence about what is wrong.
        source: the field that is wrong, if it is one.
    """
    status, code, title = kind
    told = {"errors": [{"title": title, "detail": detail, "code": code, "source": source}]}
    return replace(as_json(told, status=status), summary=title)


def told_as(answer: str, kind: tuple[int, str, str]) -> Answer:
    """Return what a fate gives in the words of the SMS API as an error of this one."""
    return plain(answer) if answer.startswith("HTTP ") else error(kind, f"This recipient's fate is {answer}.")
