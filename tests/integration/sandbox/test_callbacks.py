"""Callbacks of the sandbox over real HTTP: the GET, the signed POST, their order and their retries."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from django_messente_dlr.messente.parsers import parse_callback, parse_omnichannel
from django_messente_dlr.messente.signatures import Signer, find_signer
from django_messente_dlr.sandbox.scenario import Scenario
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from tests.integration.sandbox.callback_server import CallbackServer
from tests.integration.sandbox.conftest import CREDENTIALS, Start, omni, poll, send, send_omni

PASSWORDS = {"shop": ["a-password"], "news": ["another-password"]}
WITH_REPORTS = [scenario for scenario in SCENARIOS.values() if not scenario.refusal and not scenario.times_out]

QUERIES = [
    ("000", ["stat=DELIVRD&err="]),
    ("001", ["stat=UNDELIV&err=1"]),
    ("002", ["stat=EXPIRED&err=2"]),
    ("004", ["stat=REJECTD&err=4"]),
    ("010", ["stat=DELIVRD&err=", "stat=SEEN&err=10"]),
    ("999", ["stat=FAILED&err=999"]),
    ("101", ["stat=ACCEPTD&err=", "stat=DELIVRD&err="]),
    ("103", ["stat=UNDELIV&err=1", "stat=DELIVRD&err="]),
    ("104", ["stat=DELIVRD&err=", "stat=ACCEPTD&err="]),
    ("106", ["stat=DELIVRD&err="] * 6),
    ("112", ["stat=FAILED"]),
    ("121", ["stat=PONDERD&err="]),
    ("123", ["stat=FAILED&err=77"]),
    ("130", ["stat=DELIVRD&err=000"]),
    ("131", ["status=DELIVERED"]),
    ("133", ["status=SENT", "status=DELIVERED"]),
    ("137", ["dlr-mask=4", "dlr-mask=8", "dlr-mask=1"]),
    ("138", ["stat=REJECTD&err=004"]),
    ("139", ["stat=delivrd&err="]),
    ("141", []),
    ("143", []),
    ("144", ["stat=ACCEPTD&err="]),
]


@pytest.mark.parametrize(("digits", "queries"), QUERIES)
def test_get__appends_its_parameters(
    start: Start, callback_server: CallbackServer, digits: str, queries: list[str]
) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox, digits, dlr_url=callback_server.url)
    assert sandbox.wait_until_idle()
    assert [callback.query for callback in callback_server.callbacks] == [
        f"sms_unique_id={sms_unique_id}&{query}" for query in queries
    ]
    assert {(callback.method, callback.path) for callback in callback_server.callbacks} <= {
        ("GET", "/dlr/a-secret-token/")
    }


@pytest.mark.parametrize("scenario", WITH_REPORTS, ids=lambda scenario: scenario.digits)
def test_callbacks__are_readable_by_the_parsers(
    start: Start, callback_server: CallbackServer, scenario: Scenario
) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox, scenario.digits, dlr_url=callback_server.url)
    sent = send_omni(sandbox, scenario.digits, dlr_url=callback_server.url)
    assert sandbox.wait_until_idle()
    count = sum(step.times for step in scenario.steps if step.callback)
    gets = [parse_callback(callback.query) for callback in callback_server.callbacks if callback.method == "GET"]
    posts = [parse_omnichannel(callback.body) for callback in callback_server.callbacks if callback.method == "POST"]
    assert (len(gets), len(posts)) == (count, count)
    assert {report.sms_unique_id for report in gets} <= {sms_unique_id}
    assert {report.omnimessage_id for report in posts} <= {sent["omnimessage_id"]}
    assert {report.sms_unique_id for report in posts} <= {sent["messages"][0]["message_id"]}


def test_get__keeps_an_existing_query_string(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    send(sandbox, dlr_url=f"{callback_server.url}?order=17&again=#part")
    assert sandbox.wait_until_idle()
    (callback,) = callback_server.callbacks
    assert re.fullmatch(r"order=17&again=&sms_unique_id=OK[0-9a-f]{30}&stat=DELIVRD&err=", callback.query)


def test_post__is_signed_json(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    sent = send_omni(sandbox, "004", dlr_url=callback_server.url, channel="viber")
    assert sandbox.wait_until_idle()
    (callback,) = callback_server.callbacks
    assert (callback.method, callback.path, callback.query) == ("POST", "/dlr/a-secret-token/", "")
    assert callback.headers["content-type"] == "application/json"
    assert find_signer(callback.body, callback.headers["x-messente-signature"], PASSWORDS) == Signer("shop", 0)
    payload = json.loads(callback.body)
    timestamp = datetime.fromisoformat(payload.pop("timestamp"))
    assert timestamp.tzinfo is None
    assert payload == {
        "status": "REJECTD",
        "sender": "Shop",
        "err": 4,
        "message_id": sent["messages"][0]["message_id"],
        "to": "+37255500004",
        "channel": "viber",
        "error": "Out of credits",
        "omnimessage_id": sent["omnimessage_id"],
        "price_info": None,
    }


@pytest.mark.parametrize(
    ("digits", "err"),
    [("000", 0), ("004", 4), ("010", 10), ("112", None), ("123", 77), ("138", "004"), ("130", "000")],
)
def test_post__err_has_every_type_of_messente(
    start: Start, callback_server: CallbackServer, digits: str, err: int | str | None
) -> None:
    sandbox = start()
    send_omni(sandbox, digits, dlr_url=callback_server.url)
    assert sandbox.wait_until_idle()
    assert json.loads(callback_server.callbacks[-1].body)["err"] == err


def test_post__is_signed_by_the_sending_account(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    message = {"channel": "sms", "text": "Hello"}
    payload = {"to": "+37255500000", "messages": [message], "dlr_url": callback_server.url}
    assert omni(sandbox, "POST", auth=("news", "another-password"), json=payload).status_code == 201
    callback = callback_server.next()
    assert find_signer(callback.body, callback.headers["x-messente-signature"], PASSWORDS) == Signer("news", 0)


def test_post__identical_callbacks_at_once(start: Start) -> None:
    """The server holds every response back until all six callbacks have arrived."""
    sandbox = start()
    with CallbackServer(held=True) as callback_server:
        send_omni(sandbox, "106", dlr_url=callback_server.url)
        bodies = {callback_server.next().body for _ in range(6)}
        callback_server.release.set()
        assert sandbox.wait_until_idle()
    assert len(bodies) == 1
    assert len(callback_server.callbacks) == 6


@pytest.mark.parametrize(
    ("omnichannel", "statuses", "attempts"),
    [
        (False, [200], 1),
        (False, [500, 503, 200], 3),
        (False, [204, 301, 302, 404, 403, 500, 200], 6),
        (True, [204], 1),
        (True, [302], 1),
        (True, [399], 1),
        (True, [400, 500, 200], 3),
        (True, [500] * 7, 6),
    ],
)
def test_retry__up_to_five_times(
    start: Start, callback_server: CallbackServer, omnichannel: bool, statuses: list[int], attempts: int
) -> None:
    sandbox = start()
    callback_server.statuses = list(statuses)
    if omnichannel:
        send_omni(sandbox, dlr_url=callback_server.url)
    else:
        send(sandbox, dlr_url=callback_server.url)
    assert sandbox.wait_until_idle()
    assert len(callback_server.callbacks) == attempts
    assert len({(callback.path, callback.query, callback.body) for callback in callback_server.callbacks}) == 1
    recorded = [(attempt.attempt, attempt.status, attempt.ok) for attempt in sandbox.callbacks]
    last_is_ok = attempts == len(sandbox.callbacks) and sandbox.callbacks[-1].ok
    assert recorded == [
        (number, status, last_is_ok and number == attempts)
        for number, status in enumerate(statuses[:attempts], start=1)
    ]


def test_attempt__is_stored_without_the_token(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    send(sandbox, "004", dlr_url=callback_server.url)
    assert sandbox.wait_until_idle()
    (attempt,) = sandbox.callbacks
    assert attempt.message is sandbox.messages[0]
    assert (attempt.method, attempt.step.stat, attempt.step.err) == ("GET", "REJECTD", "4")
    assert (attempt.attempt, attempt.status, attempt.error, attempt.ok) == (1, 200, "", True)
    assert attempt.url.startswith(callback_server.url)
    assert "a-secret-token" not in repr(attempt)


def test_retry__after_a_time_out(start: Start) -> None:
    sandbox = start(callback_timeouts=(1.0, 0.05))
    with CallbackServer(held=True) as callback_server:
        send(sandbox, dlr_url=callback_server.url)
        assert sandbox.wait_until_idle()
    assert [(attempt.attempt, attempt.status, attempt.error, attempt.ok) for attempt in sandbox.callbacks] == [
        (number, None, "time-out", False) for number in range(1, 7)
    ]


def test_retry__after_an_incomplete_response(start: Start) -> None:
    """The headers have status 200, but the rest of the body never arrives."""
    sandbox = start(callback_timeouts=(1.0, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as server:
        send(sandbox, dlr_url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        for _ in range(6):
            connection, _address = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nO")
                connection.recv(1)  # returns when the sandbox closes the connection
        assert sandbox.wait_until_idle()
    assert {(attempt.status, attempt.error) for attempt in sandbox.callbacks} == {(None, "time-out")}


def test_retry__after_a_refused_connection(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    send(sandbox, dlr_url=f"http://127.0.0.1:{port}/")
    assert sandbox.wait_until_idle()
    assert [(attempt.attempt, attempt.error) for attempt in sandbox.callbacks] == [
        (number, "no connection") for number in range(1, 7)
    ]


@pytest.mark.parametrize(
    "url", ["https://shop.example.com/dlr/", "http://[/", "ftp://localhost/", "http://10.0.0.1/", "/dlr/", "http://"]
)
@pytest.mark.parametrize("omnichannel", [False, True])
def test_hosts__other_machines_are_not_called(start: Start, url: str, omnichannel: bool) -> None:
    sandbox = start()
    if omnichannel:
        send_omni(sandbox, dlr_url=url)
    else:
        send(sandbox, dlr_url=url)
    assert sandbox.wait_until_idle()
    (attempt,) = sandbox.callbacks
    assert (attempt.status, attempt.ok) == (None, False)
    assert attempt.error.startswith("not called")


def test_hosts__callback_hosts_are_called(
    start: Start, monkeypatch: pytest.MonkeyPatch, callback_server: CallbackServer
) -> None:
    original = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        return original("127.0.0.1" if host == "web" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    sandbox = start(callback_hosts=["web"])
    send(sandbox, dlr_url=callback_server.url.replace("127.0.0.1", "web"))
    assert sandbox.wait_until_idle()
    assert len(callback_server.callbacks) == 1


def test_hosts__ignore_a_proxy_in_the_environment(
    start: Start, monkeypatch: pytest.MonkeyPatch, callback_server: CallbackServer
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    sandbox = start()
    with requests.Session() as client:
        client.trust_env = False
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        parameters = CREDENTIALS | {"to": "+37255500000", "text": "Hello", "dlr-url": callback_server.url}
        assert client.post(f"{sandbox.url}/send_sms", data=parameters, timeout=10).text.startswith("OK ")
    assert callback_server.next().parameters["stat"] == "DELIVRD"
    assert sandbox.wait_until_idle()


def test_default_url__for_messages_without_one(start: Start, callback_server: CallbackServer) -> None:
    with CallbackServer() as default_server:
        sandbox = start(default_dlr_url=default_server.url)
        send(sandbox)
        send_omni(sandbox)
        send(sandbox, dlr_url=callback_server.url)
        assert sandbox.wait_until_idle()
        assert sorted(callback.method for callback in default_server.callbacks) == ["GET", "POST"]
    assert len(callback_server.callbacks) == 1


def test_default_url__missing(start: Start) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox)
    assert sandbox.wait_until_idle()
    assert not sandbox.callbacks
    assert poll(sandbox, sms_unique_id) == "OK DELIVERED"


@pytest.mark.parametrize(("digits", "stat"), [("260", "DELIVRD"), ("261", "REJECTD")])
def test_before_response__sms(start: Start, digits: str, stat: str) -> None:
    """The server delays its response until the callback is recorded, so ``send_sms`` cannot have returned before."""
    sandbox = start()
    with CallbackServer(held=True) as callback_server:
        order: list[str] = []

        def record_callback() -> None:
            callback = callback_server.next()
            order.append(f"callback {callback.parameters['stat']}")
            callback_server.release.set()

        thread = threading.Thread(target=record_callback)
        thread.start()
        sms_unique_id = send(sandbox, digits, dlr_url=callback_server.url)
        order.append("response")
        thread.join()
        assert order == [f"callback {stat}", "response"]
        assert callback_server.callbacks[0].parameters["sms_unique_id"] == sms_unique_id
        assert sandbox.wait_until_idle()
    assert len(callback_server.callbacks) == 1


def test_before_response__omnimessage(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start(delay=3600.0)
    send_omni(sandbox, "260", dlr_url=callback_server.url)
    assert len(callback_server.callbacks) == 1


def test_before_response__ignored_with_time_to_send(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start()
    send(sandbox, "260", dlr_url=callback_server.url, time_to_send=str(int(time.time()) + 3600))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    send_omni(sandbox, "260", dlr_url=callback_server.url, time_to_send=later)
    assert not callback_server.callbacks
    assert not sandbox.wait_until_idle(0.0)


def test_times_out__sends_the_callback(start: Start, callback_server: CallbackServer) -> None:
    sandbox = start(hang=3600.0)
    parameters = {"to": "+37255500270", "text": "Hello", "dlr-url": callback_server.url}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{sandbox.url}/send_sms", data=CREDENTIALS | parameters, timeout=(10, 0.2))
    callback = callback_server.next()
    assert callback.parameters["stat"] == "DELIVRD"
    assert poll(sandbox, callback.parameters["sms_unique_id"]) == "OK DELIVERED"


def test_times_out__sends_the_response_late(start: Start) -> None:
    sandbox = start(hang=0.0)
    sms_unique_id = send(sandbox, "270")
    assert sandbox.wait_until_idle()
    assert poll(sandbox, sms_unique_id) == "OK DELIVERED"
    assert send_omni(sandbox, "270")["omnimessage_id"]
