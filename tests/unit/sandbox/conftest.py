from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from tests.unit.sandbox.receivers import Receiver

Start = Callable[..., Sandbox]

ACCOUNTS = {"shop": "a-password", "news": "another-password"}
CREDENTIALS = {"username": "shop", "password": "a-password"}


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts sandboxes, quick ones unless told otherwise, and stops them in the end."""
    with ExitStack() as stack:

        def started(**options: Any) -> Sandbox:
            return stack.enter_context(Sandbox(ACCOUNTS, **({"delay": 0.0, "retry_delay": 0.0} | options)))

        yield started


@pytest.fixture
def sandbox(start: Start) -> Sandbox:
    return start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


# Parameters that no keyword argument can be called.
NAMES = {"dlr_url": "dlr-url", "text_store": "text-store", "from_": "from"}


def call(sandbox: Sandbox, endpoint: str, *, method: str = "POST", **parameters: str) -> requests.Response:
    """Call the SMS API with valid credentials, unless ``parameters`` has others."""
    told = CREDENTIALS | {NAMES.get(name, name): value for name, value in parameters.items()}
    url = f"{sandbox.url}/{endpoint}"
    if method == "GET":
        return requests.get(url, params=told, timeout=10)
    return requests.request(method, url, data=told, timeout=10)


def send(sandbox: Sandbox, digits: str = "000", **parameters: str) -> str:
    """Send an SMS whose recipient ends in ``digits``, and return its id."""
    answer = call(sandbox, "send_sms/", to=f"+37255500{digits}", text="Your parcel is here.", **parameters).text
    assert answer.startswith("OK ")
    return answer.removeprefix("OK ")


def ask(sandbox: Sandbox, sms_unique_id: str) -> str:
    """Ask for an SMS's report."""
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
    """Send an omnimessage of one channel, and return what was answered."""
    message = {"channel": channel, "sender": "Shop", "text": "Your parcel is here."}
    told = {"to": f"+37255500{digits}", "messages": [message], **fields}
    answer = omni(sandbox, "POST", json=told)
    assert answer.status_code == 201
    sent: dict[str, Any] = answer.json()
    return sent
