"""The SMS API answers as Messente's documentation says, over real HTTP."""

from __future__ import annotations

import time

import pytest
import requests

from django_messente_dlr.sandbox import SCENARIOS, Sandbox, Scenario
from tests.unit.sandbox.conftest import CREDENTIALS, Start, ask, call, send

MESSAGE = {"to": "+37255500000", "text": "Your parcel is here."}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_call_works_with_get_and_post_with_and_without_the_last_slash(
    sandbox: Sandbox, method: str, slash: str
) -> None:
    sent = call(sandbox, f"send_sms{slash}", method=method, **MESSAGE)
    assert sent.status_code == 200
    assert sent.headers["Content-Type"].startswith("text/plain")
    ok, sms_unique_id = sent.text.split(" ")
    assert ok == "OK"
    assert sandbox.wait_until_idle()
    asked = call(sandbox, f"get_dlr_response{slash}", method=method, sms_unique_id=sms_unique_id)
    assert asked.text == "OK DELIVERED"
    assert call(sandbox, f"get_balance{slash}", method=method).text == "OK 707.54"
    cancelled = call(sandbox, f"cancel_sms{slash}", method=method, sms_unique_id=sms_unique_id)
    assert cancelled.text == "ERROR 107"


def test_a_client_that_strips_letters_instead_of_the_word_ok_is_found_out(sandbox: Sandbox) -> None:
    answer = call(sandbox, "send_sms", **MESSAGE).text
    assert ask(sandbox, answer.lstrip("OK ")) == "ERROR 107"
    assert sandbox.wait_until_idle()
    assert ask(sandbox, answer.removeprefix("OK ")) == "OK DELIVERED"


def test_a_message_is_kept_as_it_was_sent(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, "143", from_="Shop", dlr_url="http://localhost/dlr/a-secret-token/")
    (message,) = sandbox.messages
    assert message.message_id == sms_unique_id
    assert (message.account, message.recipient, message.sender) == ("shop", "+37255500143", "Shop")
    assert message.text == "Your parcel is here."
    assert message.dlr_url == "http://localhost/dlr/a-secret-token/"
    assert (message.channel, message.omnimessage_id, message.cancelled) == ("sms", "", False)
    assert message.scenario is SCENARIOS["143"]
    assert "a-secret-token" not in repr(message)


def test_parameters_may_stand_in_the_query_string_of_a_post_and_the_form_counts_more(sandbox: Sandbox) -> None:
    answer = requests.post(
        f"{sandbox.url}/send_sms", params=CREDENTIALS | MESSAGE | {"from": "Query"}, data={"from": "Form"}, timeout=10
    )
    assert answer.text.startswith("OK ")
    assert sandbox.messages[0].sender == "Form"
    assert requests.post(f"{sandbox.url}/get_balance", params=CREDENTIALS, timeout=10).text == "OK 707.54"


def test_a_body_that_is_no_form_is_not_read(sandbox: Sandbox) -> None:
    assert requests.post(f"{sandbox.url}/get_balance", json=CREDENTIALS, timeout=10).text == "ERROR 102"


@pytest.mark.parametrize("endpoint", ["send_sms", "get_dlr_response", "get_balance", "cancel_sms"])
@pytest.mark.parametrize(
    ("username", "password"),
    [("shop", "wrong"), ("shop", "another-password"), ("nobody", "a-password"), ("shop", "pässword"), ("", "x")],
)
def test_wrong_credentials_are_error_101_and_missing_ones_error_102(
    sandbox: Sandbox, endpoint: str, username: str, password: str
) -> None:
    answer = call(sandbox, endpoint, username=username, password=password, sms_unique_id="an-id", **MESSAGE)
    assert answer.status_code == 200
    assert answer.text == ("ERROR 101" if username else "ERROR 102")
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
def test_wrong_and_missing_parameters_are_error_102(sandbox: Sandbox, parameters: dict[str, str]) -> None:
    assert call(sandbox, "send_sms", **(MESSAGE | parameters)).text == "ERROR 102"
    assert not sandbox.messages


def test_right_parameters_are_taken(sandbox: Sandbox) -> None:
    options = {"validity": "360", "autoconvert": "full", "text_store": "sha256", "charset": "UTF-8", "udh": ""}
    assert call(sandbox, "send_sms", **MESSAGE, **options).text.startswith("OK ")


@pytest.mark.parametrize("endpoint", ["get_dlr_response", "cancel_sms"])
def test_a_missing_id_is_error_102_and_an_unknown_one_error_107(sandbox: Sandbox, endpoint: str) -> None:
    assert call(sandbox, endpoint).text == "ERROR 102"
    assert call(sandbox, endpoint, sms_unique_id="unknown").text == "ERROR 107"


def test_another_accounts_message_is_unknown(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, "143", username="news", password="another-password")
    assert ask(sandbox, sms_unique_id) == "ERROR 107"
    assert call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text == "ERROR 107"
    assert not sandbox.messages[0].cancelled


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(sandbox: Sandbox, method: str) -> None:
    answer = call(sandbox, "send_sms/", method=method, **MESSAGE)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


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
def test_asking_tells_what_the_fate_says(sandbox: Sandbox, scenario: Scenario) -> None:
    sms_unique_id = send(sandbox, scenario.digits)
    assert sandbox.wait_until_idle()
    for answer in scenario.poll_first:
        response = call(sandbox, "get_dlr_response", sms_unique_id=sms_unique_id)
        expected = (int(answer[5:]), response.reason) if answer.startswith("HTTP ") else (200, answer)
        assert (response.status_code, response.text) == expected
    assert ask(sandbox, sms_unique_id) == (POLLED[scenario.expected] if scenario.steps else "FAILED 102")
    assert sandbox.messages[0].poll_count == len(scenario.poll_first) + 1


def test_there_is_no_report_before_anything_happened(start: Start) -> None:
    sandbox = start(delay=3600.0)
    assert ask(sandbox, send(sandbox)) == "FAILED 102"


REFUSED = [scenario for scenario in SCENARIOS.values() if scenario.refusal and not scenario.recovers]


@pytest.mark.parametrize("scenario", REFUSED, ids=lambda scenario: scenario.digits)
def test_a_refused_message_is_refused_each_time_and_never_kept(sandbox: Sandbox, scenario: Scenario) -> None:
    assert scenario.refusal
    for _ in range(2):
        answer = call(sandbox, "send_sms", **(MESSAGE | {"to": f"+37255500{scenario.digits}"}))
        expected = scenario.refusal.removeprefix("HTTP ")
        assert (answer.text if answer.status_code == 200 else str(answer.status_code)) == expected
    assert not sandbox.messages


def test_a_refusal_that_relents_is_over_after_one_call_to_the_same_recipient(sandbox: Sandbox) -> None:
    def sent(to: str) -> str:
        return call(sandbox, "send_sms", to=to, text="Hello").text[:10]

    assert sent("+37255500219") == "FAILED 209"
    assert sent("+37255511219") == "FAILED 209"
    assert sent("+37255500219").startswith("OK ")
    assert sent("+37255511219").startswith("OK ")
    assert sent("+37255500219") == "FAILED 209"


def test_a_message_that_waits_for_its_time_can_be_cancelled_once(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, time_to_send=str(int(time.time()) + 3600))
    assert call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text == "OK DELETED"
    assert call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text == "ERROR 107"
    assert ask(sandbox, sms_unique_id) == "FAILED 102"
    assert sandbox.messages[0].cancelled


def test_a_time_that_is_past_means_at_once(sandbox: Sandbox) -> None:
    sms_unique_id = send(sandbox, time_to_send="1")
    assert sandbox.wait_until_idle()
    assert ask(sandbox, sms_unique_id) == "OK DELIVERED"


def test_the_balance_can_be_changed_while_it_runs(sandbox: Sandbox) -> None:
    sandbox.balance = "0"
    assert call(sandbox, "get_balance").text == "OK 0.00"
    assert sandbox.balance == 0
