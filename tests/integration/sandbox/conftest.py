from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from tests.integration.sandbox.callback_server import CallbackServer

Start = Callable[..., Sandbox]

ACCOUNTS = {"shop": "a-password", "news": "another-password"}
CREDENTIALS = {"username": "shop", "password": "a-password"}


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a sandbox, without delays by default. The fixture stops them after the test."""
    with ExitStack() as stack:

        def start_sandbox(**options: Any) -> Sandbox:
            return stack.enter_context(Sandbox(ACCOUNTS, **({"delay": 0.0, "retry_delay": 0.0} | options)))

        yield start_sandbox


@pytest.fixture
def sandbox(start: Start) -> Sandbox:
    return start()


@pytest.fixture
def callback_server() -> Iterator[CallbackServer]:
    with CallbackServer() as server:
        yield server


# Parameters whose names are not valid in Python.
NAMES = {"dlr_url": "dlr-url", "text_store": "text-store", "from_": "from"}


def call(sandbox: Sandbox, endpoint: str, *, method: str = "POST", **parameters: str) -> requests.Response:
    """Call the SMS API with valid credentials, unless ``parameters`` contains others."""
    values = CREDENTIALS | {NAMES.get(name, name): value for name, value in parameters.items()}
    url = f"{sandbox.url}/{endpoint}"
    if method == "GET":
        return requests.get(url, params=values, timeout=10)
    return requests.request(method, url, data=values, timeout=10)


def send(sandbox: Sandbox, digits: str = "000", **parameters: str) -> str:
    """Send an SMS whose recipient ends in ``digits``, and return its id."""
    body = call(sandbox, "send_sms/", to=f"+37255500{digits}", text="Your parcel is here.", **parameters).text
    assert body.startswith("OK ")
    return body.removeprefix("OK ")


def poll(sandbox: Sandbox, sms_unique_id: str) -> str:
    """Request the report of an SMS, and return the response's body."""
    return call(sandbox, "get_dlr_response/", sms_unique_id=sms_unique_id).text


def omni(
    sandbox: Sandbox,
    method: str,
    path: str = "",
    *,
    auth: tuple[str, str] | None = ("shop", "a-password"),
    **arguments: Any,
) -> requests.Response:
    """Call the Omnichannel API."""
    url = f"{sandbox.omnichannel_url}/omnimessage{path}"
    return requests.request(method, url, auth=auth, timeout=10, **arguments)


def send_omni(sandbox: Sandbox, digits: str = "000", *, channel: str = "sms", **fields: Any) -> dict[str, Any]:
    """Send an omnimessage of one channel, and return the JSON of the response."""
    message = {"channel": channel, "sender": "Shop", "text": "Your parcel is here."}
    payload = {"to": f"+37255500{digits}", "messages": [message], **fields}
    response = omni(sandbox, "POST", json=payload)
    assert response.status_code == 201
    sent: dict[str, Any] = response.json()
    return sent
