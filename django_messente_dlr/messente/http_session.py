"""A Session of requests for many questions to a few hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

# Messente's longest answers, about a message of many channels, have some kilobytes.
MAX_ANSWER = 1024 * 1024


class Body:
    """The fields of a request's body, which show their names alone where a traceback shows its variables.

    It is no mapping: what takes errors to a service, such as Sentry's client, shows what is in each of those.

    Args:
        fields: the fields, credentials among them.
    """

    __slots__ = ("fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields

    def __repr__(self) -> str:
        return f"<{', '.join(self.fields)}>"


class _Answer:
    """A response as urllib3 has it, of which no more is read than Messente may have to say.

    Args:
        own: urllib3's response.
    """

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        left = MAX_ANSWER
        for piece in self._own.stream(*arguments, **options):
            left -= len(piece)
            if left < 0:
                self._own.close()
                raise ProtocolError(f"The answer is longer than {MAX_ANSWER} bytes.")
            yield piece


class Adapter(HTTPAdapter):
    """Has no answer read without end, whoever it comes from: what polls has many threads, and little memory."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.raw = _Answer(resp)
        return response


class Session(requests.Session):
    """A Session to which a redirect is an answer like any other: where it points to is not even parsed.

    What is the same for every question is made once, as it takes more than half of a question's CPU: what the
    environment says of a host, such as its proxy or a CA bundle, and all of a POST but its body.
    """

    def __init__(self) -> None:
        super().__init__()
        self._environments: dict[str, Any] = {}
        self._blanks: dict[Any, requests.PreparedRequest] = {}

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        host = "/".join(url.split("/", 3)[:3])
        if host not in self._environments:
            self._environments[host] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return self._environments[host]

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        if request.method != "POST":
            return super().prepare_request(request)
        if request.url not in self._blanks:
            self._blanks[request.url] = super().prepare_request(requests.Request("POST", request.url))
        prepared = self._blanks[request.url].copy()
        body: Any = request.data
        prepared.prepare_body(body.fields, None)
        return prepared
