"""The HTTP requests and responses of the sandbox as values, without a socket.

`server` reads a `Request` from a connection and writes a `Response` to it; `sms_api` and `omnichannel` turn the one
into the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A client's request.

    Attributes:
        method: the HTTP method.
        path: the URL's path, without a slash at its end.
        query: the URL's query string, still percent-encoded.
        body: the body.
        content_type: the body's media type, in lower case and without parameters.
        authorization: the Authorization header.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    content_type: str = ""
    authorization: str = ""


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response to a request.

    Attributes:
        body: the text to send.
        status: the HTTP status.
        content_type: the body's media type.
        headers: further headers.
        endpoint: the sandbox's name for the endpoint, for the log line.
        recipient: the message's recipient, for the log line.
        summary: the response in a few words and without ids, for the log line.
        times_out: whether the response is held back until the client has given up.
        on_sent: called when the response is sent; with ``times_out``, before it is held back.
    """

    body: str
    status: int = 200
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()
    endpoint: str = "an unknown path"
    recipient: str = ""
    summary: str = ""
    times_out: bool = False
    on_sent: Callable[[], None] | None = None


def text_response(text: str, *, recipient: str = "") -> Response:
    """Return a response in plain text.

    Args:
        text: the body. ``HTTP`` and a number, such as ``HTTP 429``, gives a response with that status instead.
        recipient: as in `Response`.
    """
    status = 200
    word, _, number = text.partition(" ")
    if word == "HTTP":
        status, text = int(number), HTTPStatus(int(number)).phrase
    return Response(body=text, status=status, summary=text, recipient=recipient)
