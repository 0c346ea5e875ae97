"""The errors of the Omnichannel API, with the codes and titles of Messente's own client (``ErrorCodeOmnichannel``).

Which HTTP status has which code is documented for none of them; these pairs are plausible ones.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django_messente_dlr.sandbox.channel_content import InvalidOmnimessageError
from django_messente_dlr.sandbox.http_types import JSON, Response, text_response

# HTTP status, code and title of each error. These codes are unrelated to the codes of the SMS API.
Error = tuple[int, str, str]
NOT_FOUND = (404, "101", "Not found")
FORBIDDEN = (403, "102", "Forbidden")
UNAUTHORIZED = (401, "103", "Unauthorized")
SERVER_ERROR = (500, "104", "Internal Server Error")
INVALID = (400, "105", "Invalid data")
MISSING = (400, "106", "Missing data")
NOT_ALLOWED = (405, "107", "Method not allowed")
# Not Messente's: its response to a late cancellation is not documented. The detail states that it is a guess.
TOO_LATE = (409, "105", "Invalid data")
TOO_LATE_DETAIL = "It is too late to cancel. (This response is a guess of the sandbox: Messente's is not documented.)"
# Scenarios prescribe the responses of the SMS API; these are the errors of this API for them. Only the first is
# documented.
TRANSLATED = {"ERROR 107": NOT_FOUND, "FAILED 209": SERVER_ERROR, "ERROR 103": FORBIDDEN}


def json_response(payload: dict[str, Any], *, status: int = 200) -> Response:
    """Return a response in JSON."""
    return Response(body=json.dumps(payload), status=status, content_type=JSON)


def error_response(error: Error, detail: str, *, source: str | None = None) -> Response:
    """Return an error in the format of the Omnichannel API.

    Args:
        error: HTTP status, code and title.
        detail: a sentence that describes the error.
        source: the invalid field, if there is one.
    """
    status, code, title = error
    payload = {"errors": [{"title": title, "detail": detail, "code": code, "source": source}]}
    return replace(json_response(payload, status=status), summary=title)


def invalid_response(error: InvalidOmnimessageError) -> Response:
    """Return the response to a request with an invalid field."""
    return error_response(MISSING if error.missing else INVALID, str(error), source=error.source)


def scenario_response(prescribed: str, error: Error, *, recipient: str) -> Response:
    """Return the response of this API where a scenario prescribes an error of the SMS API.

    Args:
        prescribed: the response in the SMS API, such as ``ERROR 103`` or ``HTTP 429``.
        error: HTTP status, code and title, used unless ``prescribed`` is an HTTP status.
        recipient: the message's recipient.
    """
    if prescribed.startswith("HTTP "):
        return text_response(prescribed, recipient=recipient)
    detail = f"The sandbox's scenario for this recipient is {prescribed}."
    return replace(error_response(error, detail), recipient=recipient)
