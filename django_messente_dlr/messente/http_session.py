"""The ``requests`` session for many requests to few hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

# Messente's longest responses, for omnimessages with many channels, have a few kilobytes.
MAX_RESPONSE_BYTES = 1024 * 1024


class Body:
    """The form fields of a request. Its ``repr()`` shows their names only, so that tracebacks contain no password.

    It is not a mapping, because error trackers such as Sentry serialize the items of mappings.

    Args:
        fields: the form fields, including the credentials.
    """

    __slots__ = ("fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields

    def __repr__(self) -> str:
        return f"<{', '.join(self.fields)}>"


class JsonBody:
    """The JSON of a request. Its ``repr()`` hides it: it contains the recipient, the text and the callback URL.

    Args:
        value: the JSON's value.
    """

    __slots__ = ("content",)

    def __init__(self, value: Any) -> None:
        self.content = json.dumps(value, allow_nan=False).encode()

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes of JSON>"


class _LimitedResponse:
    """A urllib3 response that stops reading after `MAX_RESPONSE_BYTES`.

    Args:
        raw: the urllib3 response.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        remaining = MAX_RESPONSE_BYTES
        for chunk in self._raw.stream(*arguments, **options):
            remaining -= len(chunk)
            if remaining < 0:
                self._raw.close()
                raise ProtocolError(f"The response is longer than {MAX_RESPONSE_BYTES} bytes.")
            yield chunk


class Adapter(HTTPAdapter):
    """Limit the size of responses.

    The poller has many threads and little memory. Without the limit, an endless response would use up the memory.
    """

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.raw = _LimitedResponse(resp)
        return response


class Session(requests.Session):
    """A session that ignores redirects and reuses prepared requests.

    A redirect is an ordinary response, and its ``Location`` is not parsed. Two results are cached, because they
    take more than half of the CPU time of a request: the environment's settings for a host (proxy, CA bundle), and
    a prepared POST request without its body.
    """

    def __init__(self) -> None:
        super().__init__()
        self._environment_settings: dict[str, Any] = {}
        self._post_templates: dict[Any, requests.PreparedRequest] = {}

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        host = "/".join(url.split("/", 3)[:3])
        if host not in self._environment_settings:
            merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
            self._environment_settings[host] = merged
        return self._environment_settings[host]

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        if request.method != "POST":
            return super().prepare_request(request)
        if request.url not in self._post_templates:
            self._post_templates[request.url] = super().prepare_request(requests.Request("POST", request.url))
        prepared = self._post_templates[request.url].copy()
        body: Any = request.data
        if isinstance(body, JsonBody):
            prepared.prepare_body(body.content, None)
            prepared.headers["Content-Type"] = "application/json"
            prepared.prepare_auth(request.auth, str(request.url))
        else:
            prepared.prepare_body(body.fields, None)
        return prepared
