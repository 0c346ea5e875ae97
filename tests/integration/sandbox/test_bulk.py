"""Bulk requests of the Omnichannel API, and the number of accepted messages. Over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from tests.integration.sandbox.callback_server import CallbackServer
from tests.integration.sandbox.conftest import Start, call, send, send_omni

CHANNEL = {"channel": "sms", "text": "Hello"}


def bulk(sandbox: Sandbox, method: str = "POST", **arguments: Any) -> requests.Response:
    url = f"{sandbox.omnichannel_url}/omnimessages"
    return requests.request(method, url, auth=("shop", "a-password"), timeout=10, **arguments)


def omnimessage(digits: str, **fields: Any) -> dict[str, Any]:
    return {"to": f"+37255500{digits}", "messages": [CHANNEL], **fields}


def test_bulk__answers_in_the_order_of_the_request(sandbox: Sandbox, callback_server: CallbackServer) -> None:
    messages = [
        omnimessage("000", dlr_url=callback_server.url),
        omnimessage("001", messages=[]),
        omnimessage("203"),
        omnimessage("229"),
        "an omnimessage",
        omnimessage("007", dlr_url=callback_server.url),
    ]
    response = bulk(sandbox, json={"messages": messages})
    assert response.status_code == 201
    assert set(response.json()) == {"messages"}
    first, *errors, last = response.json()["messages"]
    assert (first["to"], last["to"]) == ("+37255500000", "+37255500007")
    assert [set(answer) for answer in (first, last)] == [{"omnimessage_id", "to", "messages"}] * 2
    assert [error["errors"][0]["code"] for error in errors] == ["106", "102", "104", "105"]
    assert sandbox.wait_until_idle()
    assert [message.recipient for message in sandbox.messages] == ["+37255500000", "+37255500007"]
    assert len(callback_server.callbacks) == 2


def test_bulk__a_thousand_messages(sandbox: Sandbox) -> None:
    messages = [omnimessage(f"{number:04}888", messages=[CHANNEL | {"text": "x" * 900}]) for number in range(1000)]
    response = bulk(sandbox, json={"messages": messages})
    assert [answer["to"] for answer in response.json()["messages"]] == [message["to"] for message in messages]
    assert sandbox.wait_until_idle()


@pytest.mark.parametrize(
    ("body", "code", "source"),
    [
        (b"{", "105", None),
        (b"[]", "105", None),
        (b"{}", "106", "messages"),
        (b'{"messages": []}', "106", "messages"),
        (b'{"messages": "all"}', "105", "messages"),
    ],
)
def test_bulk__invalid_body(sandbox: Sandbox, body: bytes, code: str, source: str | None) -> None:
    response = bulk(sandbox, data=body)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"], error["source"]) == (400, code, source)


def test_bulk__other_method(sandbox: Sandbox) -> None:
    response = bulk(sandbox, "GET")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_bulk__response_that_times_out(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start(hang=3600.0)
    messages = [omnimessage(digits, dlr_url=callback_server.url) for digits in ("000", "270")]
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{sandbox.omnichannel_url}/omnimessages",
            auth=("shop", "a-password"),
            json={"messages": messages},
            timeout=(10, 0.2),
        )
    assert {callback_server.next().path for _ in messages} == {"/dlr/a-secret-token/"}


def test_accepted__counts_by_recipient(sandbox: Sandbox) -> None:
    send(sandbox, "000")
    call(sandbox, "send_sms", to="37255500000", text="Hello")
    call(sandbox, "send_sms", to="+37255500203", text="Hello")
    send_omni(sandbox, "001", messages=[CHANNEL, CHANNEL])
    bulk(sandbox, json={"messages": [omnimessage("001"), omnimessage("203")]})
    expected = {"+37255500000": 2, "+37255500001": 2}
    assert sandbox.accepted == expected
    response = requests.get(f"{sandbox.url}/sandbox/accepted", timeout=10)
    assert (response.status_code, response.json()) == (200, expected)
    assert requests.put(f"{sandbox.url}/sandbox/accepted", "{}", timeout=10).headers["Allow"] == "GET"
