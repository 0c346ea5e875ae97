"""The SMS API of the sandbox over real HTTP, as Messente's documentation describes it."""

from __future__ import annotations

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.scenario import Scenario
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from tests.integration.sandbox.conftest import CREDENTIALS, Start, call, poll, send

MESSAGE = {"to": "+37255500000", "text": "Your parcel is here."}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_endpoints__method_and_trailing_slash(sandbox: Sandbox, method: str, slash: str) -> None:
    sent = call(sandbox, f"send_sms{slash}", method=method, **MESSAGE)
    assert sent.status_code == 200
    assert sent.headers["Content-Type"].startswith("text/plain")
    ok, sms_unique_id = sent.text.split(" ")
    assert ok == "OK"
    assert sandbox.wait_until_idle()
    polled = call(sandbox, f"get_dlr_response{slash}", method=method, sms_unique_id=sms_unique_id)
    assert polled.text == "OK DELIVERED"
    assert call(sandbox, f"get_balance{slash}", method=method).text == "OK 707.54"
    cancelled = call(sandbox, f"cancel_sms{slash}", method=method, sms_unique_id=sms_unique_id)
    assert cancelled.text == "ERROR 999 too late to cancel (a guess of the sandbox)"


def test_send__id_shows_a_client_that_strips_letters(sandbox: Sandbox) -> None:
    body = call(sandbox, "send_sms", **MESSAGE).text
    assert poll(sandbox, body.lstrip("OK ")) == "ERROR 107"
    assert sandbox.wait_until_idle()
    assert poll(sandbox, body.removeprefix("OK ")) == "OK DELIVERED"


def test_send__stores_the_message(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, "143", from_="Shop", dlr_url="http://localhost/dlr/a-secret-token/")
    (message,) = sandbox.messages
    assert message.message_id == sms_unique_id
    assert (message.account, message.recipient, message.sender) == ("shop", "+37255500143", "Shop")
    assert message.text == "Your parcel is here."
    assert message.dlr_url == "http://localhost/dlr/a-secret-token/"
    assert (message.channel, message.omnimessage_id, message.cancelled) == ("sms", "", False)
    assert message.scenario is SCENARIOS["143"]
    assert "a-secret-token" not in repr(message)


def test_send__form_overrides_the_query_string(sandbox: Sandbox) -> None:
    response = requests.post(
        f"{sandbox.url}/send_sms", params=CREDENTIALS | MESSAGE | {"from": "Query"}, data={"from": "Form"}, timeout=10
    )
    assert response.text.startswith("OK ")
    assert sandbox.messages[0].sender == "Form"
    assert requests.post(f"{sandbox.url}/get_balance", params=CREDENTIALS, timeout=10).text == "OK 707.54"


def test_a_body_that_is_no_form_is_not_read(sandbox: Sandbox) -> None:
    assert requests.post(f"{sandbox.url}/get_balance", json=CREDENTIALS, timeout=10).text == "ERROR 102"


@pytest.mark.parametrize("endpoint", ["send_sms", "get_dlr_response", "get_balance", "cancel_sms"])
@pytest.mark.parametrize(
    ("username", "password"),
    [("shop", "wrong"), ("shop", "another-password"), ("unknown", "a-password"), ("shop", "pässword"), ("", "x")],
)
def test_endpoints__wrong_and_missing_credentials(
    sandbox: Sandbox, endpoint: str, username: str, password: str
) -> None:
    response = call(sandbox, endpoint, username=username, password=password, sms_unique_id="an-id", **MESSAGE)
    assert response.status_code == 200
    assert response.text == ("ERROR 101" if username else "ERROR 102")
    assert not sandbox.messages


@pytest.mark.parametrize(
    "parameters",
    [
        {"to": ""},
        {"to": "my number"},
        {"to": "123"},
        {"to": "+3725550000000000"},
        {"text": ""},
        {"time_to_send": "tomorrow"},
        {"time_to_send": "99999999999"},
        {"validity": "-1"},
        {"autoconvert": "maybe"},
        {"text_store": "forever"},
    ],
)
def test_send__wrong_and_missing_parameters(sandbox: Sandbox, parameters: dict[str, str]) -> None:
    assert call(sandbox, "send_sms", **(MESSAGE | parameters)).text == "ERROR 102"
    assert not sandbox.messages


def test_send__optional_parameters(sandbox: Sandbox) -> None:
    options = {"validity": "360", "autoconvert": "full", "text_store": "sha256", "charset": "UTF-8", "udh": ""}
    assert call(sandbox, "send_sms", **MESSAGE, **options).text.startswith("OK ")


@pytest.mark.parametrize("endpoint", ["get_dlr_response", "cancel_sms"])
def test_endpoints__missing_and_unknown_id(sandbox: Sandbox, endpoint: str) -> None:
    assert call(sandbox, endpoint).text == "ERROR 102"
    assert call(sandbox, endpoint, sms_unique_id="unknown").text == "ERROR 107"


def test_endpoints__message_of_another_account(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, "143", username="news", password="another-password")
    assert poll(sandbox, sms_unique_id) == "ERROR 107"
    assert call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text == "ERROR 107"
    assert not sandbox.messages[0].cancelled


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_endpoints__other_methods(sandbox: Sandbox, method: str) -> None:
    response = call(sandbox, "send_sms/", method=method, **MESSAGE)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, POST"


POLLED = {
    "sent": "OK SENT",
    "failed": "OK FAILED",
    "rejected": "OK FAILED",
    "delivered": "OK DELIVERED",
    "seen": "OK DELIVERED",
}


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS.values() if not scenario.refusal and not scenario.times_out],
    ids=lambda scenario: scenario.digits,
)
def test_poll__matches_the_scenario(sandbox: Sandbox, scenario: Scenario) -> None:
    sms_unique_id = send(sandbox, scenario.digits)
    assert sandbox.wait_until_idle()
    for body in scenario.poll_first:
        response = call(sandbox, "get_dlr_response", sms_unique_id=sms_unique_id)
        expected = (int(body[5:]), response.reason) if body.startswith("HTTP ") else (200, body)
        assert (response.status_code, response.text) == expected
    assert poll(sandbox, sms_unique_id) == (POLLED[scenario.expected] if scenario.steps else "FAILED 102")
    assert sandbox.messages[0].poll_count == len(scenario.poll_first) + 1


def test_poll__before_the_first_report(start: Start) -> None:
    sandbox = start(delay=3600.0)
    assert poll(sandbox, send(sandbox)) == "FAILED 102"


REFUSED = [scenario for scenario in SCENARIOS.values() if scenario.refusal and not scenario.recovers]


@pytest.mark.parametrize("scenario", REFUSED, ids=lambda scenario: scenario.digits)
def test_send__refusal_stores_no_message(sandbox: Sandbox, scenario: Scenario) -> None:
    assert scenario.refusal
    for _ in range(2):
        response = call(sandbox, "send_sms", **(MESSAGE | {"to": f"+37255500{scenario.digits}"}))
        expected = scenario.refusal.removeprefix("HTTP ")
        assert (response.text if response.status_code == 200 else str(response.status_code)) == expected
    assert not sandbox.messages


def test_send__refusal_that_recovers(sandbox: Sandbox) -> None:
    def send_to(to: str) -> str:
        return call(sandbox, "send_sms", to=to, text="Hello").text[:10]

    assert send_to("+37255500219") == "FAILED 209"
    assert send_to("+37255511219") == "FAILED 209"
    assert send_to("+37255500219").startswith("OK ")
    assert send_to("+37255511219").startswith("OK ")
    assert send_to("+37255500219") == "FAILED 209"


def test_send__time_to_send_in_the_past(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, time_to_send="1")
    assert sandbox.wait_until_idle()
    assert poll(sandbox, sms_unique_id) == "OK DELIVERED"


def test_balance__can_be_changed(sandbox: Sandbox) -> None:
    sandbox.balance = "0"
    assert call(sandbox, "get_balance").text == "OK 0.00"
    assert sandbox.balance == 0
