"""The control URLs of the sandbox change the balance and the scenarios of channels while it runs."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from tests.integration.sandbox.conftest import call


def test_balance__put_changes_it_for_every_account(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/sandbox/balance"
    assert requests.get(url, timeout=10).text == "707.54"
    response = requests.put(url, "0\n", timeout=10)
    assert (response.status_code, response.text) == (200, "0.00")
    assert sandbox.balance == Decimal(0)
    assert call(sandbox, "get_balance").text == "OK 0.00"


@pytest.mark.parametrize("body", [b"", b"a lot", b"NaN", b"Infinity", b"1,5", b"\xff"])
def test_balance__other_values_are_refused(sandbox: Sandbox, body: bytes) -> None:
    response = requests.put(f"{sandbox.url}/sandbox/balance", body, timeout=10)
    assert response.status_code == 400
    assert "is not an amount such as 707.54" in response.text
    assert sandbox.balance == Decimal("707.54")


def test_balance__a_form_of_a_web_page_cannot_change_it(sandbox: Sandbox) -> None:
    response = requests.post(f"{sandbox.url}/sandbox/balance", "0", timeout=10)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, PUT")
    assert sandbox.balance == Decimal("707.54")


def test_channels__put_replaces_the_scenarios(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/sandbox/channels"
    assert requests.get(url, timeout=10).text == ""
    response = requests.put(url, "viber=001\n\nsms=010\n", timeout=10)
    assert (response.status_code, response.text) == (200, "viber=001\nsms=010\n")
    assert sandbox.channel_scenarios == {"viber": "001", "sms": "010"}
    assert requests.put(url, "rcs=403", timeout=10).text == requests.get(url, timeout=10).text == "rcs=403\n"
    assert requests.put(url, "", timeout=10).text == ""
    assert sandbox.channel_scenarios == {}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"viber", "such as viber=001"),
        (b"viber=001=2", "such as viber=001"),
        (b"pigeon=001", '"pigeon" is not a channel'),
        (b"viber=888", '"888" is not a scenario of reports'),
        (b"\xff=001", "is not a channel"),
    ],
)
def test_channels__other_values_are_refused(sandbox: Sandbox, body: bytes, sentence: str) -> None:
    response = requests.put(f"{sandbox.url}/sandbox/channels", body, timeout=10)
    assert response.status_code == 400
    assert sentence in response.text
    assert sandbox.channel_scenarios == {}
