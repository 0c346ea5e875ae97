"""Delivery reports are told over real HTTP as Messente tells them: the GET, the signed POST, and their retries."""

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
from django_messente_dlr.sandbox import SCENARIOS, Scenario
from tests.unit.sandbox.conftest import CREDENTIALS, Start, ask, call, omni, send, send_omni
from tests.unit.sandbox.receivers import Receiver

PASSWORDS = {"shop": ["a-password"], "news": ["another-password"]}
TOLD = [scenario for scenario in SCENARIOS.values() if not scenario.refusal and not scenario.times_out]

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
def test_the_get_callback_appends_its_parameters(
    start: Start, receiver: Receiver, digits: str, queries: list[str]
) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox, digits, dlr_url=receiver.url)
    assert sandbox.wait_until_idle()
    assert [received.query for received in receiver.received] == [
        f"sms_unique_id={sms_unique_id}&{query}" for query in queries
    ]
    assert {(received.method, received.path) for received in receiver.received} <= {("GET", "/dlr/a-secret-token/")}


@pytest.mark.parametrize("scenario", TOLD, ids=lambda scenario: scenario.digits)
def test_every_fates_callbacks_can_be_read_by_the_package(
    start: Start, receiver: Receiver, scenario: Scenario
) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox, scenario.digits, dlr_url=receiver.url)
    sent = send_omni(sandbox, scenario.digits, dlr_url=receiver.url)
    assert sandbox.wait_until_idle()
    count = sum(step.times for step in scenario.steps if step.callback)
    gets = [parse_callback(received.query) for received in receiver.received if received.method == "GET"]
    posts = [parse_omnichannel(received.body) for received in receiver.received if received.method == "POST"]
    assert (len(gets), len(posts)) == (count, count)
    assert {report.sms_unique_id for report in gets} <= {sms_unique_id}
    assert {report.omnimessage_id for report in posts} <= {sent["omnimessage_id"]}
    assert {report.sms_unique_id for report in posts} <= {sent["messages"][0]["message_id"]}


def test_the_parameters_follow_a_query_string_that_is_there_already(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    send(sandbox, dlr_url=f"{receiver.url}?order=17&again=#part")
    assert sandbox.wait_until_idle()
    (received,) = receiver.received
    assert re.fullmatch(r"order=17&again=&sms_unique_id=OK[0-9a-f]{30}&stat=DELIVRD&err=", received.query)


def test_the_post_callback_is_signed_json(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    sent = send_omni(sandbox, "004", dlr_url=receiver.url, channel="viber")
    assert sandbox.wait_until_idle()
    (received,) = receiver.received
    assert (received.method, received.path, received.query) == ("POST", "/dlr/a-secret-token/", "")
    assert received.headers["content-type"] == "application/json"
    assert find_signer(received.body, received.headers["x-messente-signature"], PASSWORDS) == Signer("shop", 0)
    told = json.loads(received.body)
    timestamp = datetime.fromisoformat(told.pop("timestamp"))
    assert timestamp.tzinfo is None
    assert told == {
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
def test_the_json_tells_err_in_every_type_that_was_seen(
    start: Start, receiver: Receiver, digits: str, err: int | str | None
) -> None:
    sandbox = start()
    send_omni(sandbox, digits, dlr_url=receiver.url)
    assert sandbox.wait_until_idle()
    assert json.loads(receiver.received[-1].body)["err"] == err


def test_the_account_that_sends_signs(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    message = {"channel": "sms", "text": "Hello"}
    told = {"to": "+37255500000", "messages": [message], "dlr_url": receiver.url}
    assert omni(sandbox, "POST", auth=("news", "another-password"), json=told).status_code == 201
    received = receiver.next()
    assert find_signer(received.body, received.headers["x-messente-signature"], PASSWORDS) == Signer("news", 0)


def test_equal_callbacks_are_equal_byte_for_byte_and_come_at_once(start: Start) -> None:
    """The receiver holds every answer back until all six are there."""
    sandbox = start()
    with Receiver(held=True) as receiver:
        send_omni(sandbox, "106", dlr_url=receiver.url)
        bodies = {receiver.next().body for _ in range(6)}
        receiver.release.set()
        assert sandbox.wait_until_idle()
    assert len(bodies) == 1
    assert len(receiver.received) == 6


@pytest.mark.parametrize(
    ("omnichannel", "answers", "attempts"),
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
def test_a_callback_that_fails_is_made_again_up_to_five_times(
    start: Start, receiver: Receiver, omnichannel: bool, answers: list[int], attempts: int
) -> None:
    sandbox = start()
    receiver.answers = list(answers)
    if omnichannel:
        send_omni(sandbox, dlr_url=receiver.url)
    else:
        send(sandbox, dlr_url=receiver.url)
    assert sandbox.wait_until_idle()
    assert len(receiver.received) == attempts
    assert len({(received.path, received.query, received.body) for received in receiver.received}) == 1
    noted = [(made.attempt, made.status, made.ok) for made in sandbox.callbacks]
    last = attempts == len(sandbox.callbacks) and sandbox.callbacks[-1].ok
    assert noted == [
        (number, status, last and number == attempts) for number, status in enumerate(answers[:attempts], start=1)
    ]


def test_what_comes_of_a_callback_is_kept_without_its_secret(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    send(sandbox, "004", dlr_url=receiver.url)
    assert sandbox.wait_until_idle()
    (made,) = sandbox.callbacks
    assert made.message is sandbox.messages[0]
    assert (made.method, made.step.stat, made.step.err) == ("GET", "REJECTD", "4")
    assert (made.attempt, made.status, made.error, made.ok) == (1, 200, "", True)
    assert made.url.startswith(receiver.url)
    assert "a-secret-token" not in repr(made)


def test_a_receiver_that_does_not_answer_is_called_again(start: Start) -> None:
    sandbox = start(callback_timeouts=(1.0, 0.05))
    with Receiver(held=True) as receiver:
        send(sandbox, dlr_url=receiver.url)
        assert sandbox.wait_until_idle()
    assert [(made.attempt, made.status, made.error, made.ok) for made in sandbox.callbacks] == [
        (number, None, "time-out", False) for number in range(1, 7)
    ]


def test_an_answer_that_never_ends_is_no_answer(start: Start) -> None:
    """The head says 200, but the body that it promises does not come."""
    sandbox = start(callback_timeouts=(1.0, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as server:
        send(sandbox, dlr_url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        for _ in range(6):
            connection, _address = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nO")
                connection.recv(1)  # until the sandbox gives up
        assert sandbox.wait_until_idle()
    assert {(made.status, made.error) for made in sandbox.callbacks} == {(None, "time-out")}


def test_a_receiver_that_is_down_is_called_again(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    send(sandbox, dlr_url=f"http://127.0.0.1:{port}/")
    assert sandbox.wait_until_idle()
    assert [(made.attempt, made.error) for made in sandbox.callbacks] == [
        (number, "no connection") for number in range(1, 7)
    ]


@pytest.mark.parametrize(
    "url", ["https://shop.example.com/dlr/", "http://[/", "ftp://localhost/", "http://10.0.0.1/", "/dlr/", "http://"]
)
@pytest.mark.parametrize("omnichannel", [False, True])
def test_no_other_machine_is_called_and_a_refusal_is_not_repeated(start: Start, url: str, omnichannel: bool) -> None:
    sandbox = start()
    if omnichannel:
        send_omni(sandbox, dlr_url=url)
    else:
        send(sandbox, dlr_url=url)
    assert sandbox.wait_until_idle()
    (made,) = sandbox.callbacks
    assert (made.status, made.ok) == (None, False)
    assert made.error.startswith("not called")


def test_a_host_that_is_named_is_called(start: Start, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    looked_up = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        return looked_up("127.0.0.1" if host == "web" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    sandbox = start(callback_hosts=["web"])
    send(sandbox, dlr_url=receiver.url.replace("127.0.0.1", "web"))
    assert sandbox.wait_until_idle()
    assert len(receiver.received) == 1


def test_a_proxy_of_the_environment_is_not_asked(
    start: Start, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    sandbox = start()
    with requests.Session() as client:
        client.trust_env = False
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        told = CREDENTIALS | {"to": "+37255500000", "text": "Hello", "dlr-url": receiver.url}
        assert client.post(f"{sandbox.url}/send_sms", data=told, timeout=10).text.startswith("OK ")
    assert receiver.next().parameters["stat"] == "DELIVRD"
    assert sandbox.wait_until_idle()


def test_the_default_url_is_for_messages_that_have_none(start: Start, receiver: Receiver) -> None:
    with Receiver() as default:
        sandbox = start(default_dlr_url=default.url)
        send(sandbox)
        send_omni(sandbox)
        send(sandbox, dlr_url=receiver.url)
        assert sandbox.wait_until_idle()
        assert sorted(received.method for received in default.received) == ["GET", "POST"]
    assert len(receiver.received) == 1


def test_without_any_url_nothing_is_called_but_asking_tells(start: Start) -> None:
    sandbox = start()
    sms_unique_id = send(sandbox)
    assert sandbox.wait_until_idle()
    assert not sandbox.callbacks
    assert ask(sandbox, sms_unique_id) == "OK DELIVERED"


@pytest.mark.parametrize(("digits", "stat"), [("260", "DELIVRD"), ("261", "REJECTD")])
def test_a_callback_overtakes_the_answer(start: Start, digits: str, stat: str) -> None:
    """The receiver does not answer before the test has seen that sending is not answered either."""
    sandbox = start()
    with Receiver(held=True) as receiver:
        answers: list[str] = []

        def receive() -> None:
            received = receiver.next()
            answers.append(f"callback {received.parameters['stat']}")
            receiver.release.set()

        thread = threading.Thread(target=receive)
        thread.start()
        sms_unique_id = send(sandbox, digits, dlr_url=receiver.url)
        answers.append("answer")
        thread.join()
        assert answers == [f"callback {stat}", "answer"]
        assert receiver.received[0].parameters["sms_unique_id"] == sms_unique_id
        assert sandbox.wait_until_idle()
    assert len(receiver.received) == 1


def test_an_omnimessages_callback_can_overtake_too(start: Start, receiver: Receiver) -> None:
    sandbox = start(delay=3600.0)
    send_omni(sandbox, "260", dlr_url=receiver.url)
    assert len(receiver.received) == 1


def test_nothing_overtakes_a_message_that_waits_for_its_time(start: Start, receiver: Receiver) -> None:
    sandbox = start()
    send(sandbox, "260", dlr_url=receiver.url, time_to_send=str(int(time.time()) + 3600))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    send_omni(sandbox, "260", dlr_url=receiver.url, time_to_send=later)
    assert not receiver.received
    assert not sandbox.wait_until_idle(0.0)


def test_an_answer_that_hangs_comes_too_late_but_its_callback_comes(start: Start, receiver: Receiver) -> None:
    sandbox = start(hang=3600.0)
    told = {"to": "+37255500270", "text": "Hello", "dlr-url": receiver.url}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{sandbox.url}/send_sms", data=CREDENTIALS | told, timeout=(10, 0.2))
    received = receiver.next()
    assert received.parameters["stat"] == "DELIVRD"
    assert ask(sandbox, received.parameters["sms_unique_id"]) == "OK DELIVERED"


def test_whoever_waits_long_enough_gets_the_answer_that_hangs(start: Start) -> None:
    sandbox = start(hang=0.0)
    sms_unique_id = send(sandbox, "270")
    assert sandbox.wait_until_idle()
    assert ask(sandbox, sms_unique_id) == "OK DELIVERED"
    assert send_omni(sandbox, "270")["omnimessage_id"]


def test_a_message_that_was_cancelled_meanwhile_is_not_told(start: Start, receiver: Receiver) -> None:
    """The report is due while the sandbox is told to cancel: whoever comes first, the other is left with nothing."""
    sandbox = start(delay=0.2)
    sms_unique_id = send(sandbox, dlr_url=receiver.url)
    cancelled = call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text == "OK DELETED"
    assert sandbox.wait_until_idle()
    assert len(receiver.received) == (0 if cancelled else 1)
    assert ask(sandbox, sms_unique_id) == ("FAILED 102" if cancelled else "OK DELIVERED")
