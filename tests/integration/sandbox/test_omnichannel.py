"""The Omnichannel API of the sandbox over real HTTP, as Messente's own client expects it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_messente_dlr.messente.parsers import parse_status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.scenario import Scenario
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from tests.integration.sandbox.conftest import Start, omni, send_omni

MESSAGE = {"to": "+37255500000", "messages": [{"channel": "sms", "sender": "Shop", "text": "Your parcel is here."}]}


def status(sandbox: Sandbox, omnimessage_id: str) -> list[dict[str, Any]]:
    response = omni(sandbox, "GET", f"/{omnimessage_id}/status").json()
    assert set(response) == {"statuses", "to", "omnimessage_id"}
    assert response["omnimessage_id"] == omnimessage_id
    statuses: list[dict[str, Any]] = response["statuses"]
    return statuses


@pytest.mark.parametrize("slash", ["", "/"])
def test_endpoints__trailing_slash(sandbox: Sandbox, slash: str) -> None:
    time_to_send = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    sent = omni(sandbox, "POST", slash, json=MESSAGE | {"to": "+37255500143", "time_to_send": time_to_send})
    assert sent.status_code == 201
    assert sent.headers["Content-Type"] == "application/json"
    response = sent.json()
    assert set(response) == {"messages", "to", "omnimessage_id"}
    assert [set(message) for message in response["messages"]] == [{"message_id", "channel", "sender"}]
    assert response["to"] == "+37255500143"
    polled = omni(sandbox, "GET", f"/{response['omnimessage_id']}/status{slash}")
    assert polled.status_code == 200
    cancelled = omni(sandbox, "DELETE", f"/{response['omnimessage_id']}{slash}")
    assert (cancelled.status_code, cancelled.json()) == (202, {})


def test_status__before_the_first_report(start: Start) -> None:
    sandbox = start(delay=3600.0)
    sent = send_omni(sandbox)
    assert status(sandbox, sent["omnimessage_id"]) == [
        {
            "status": None,
            "channel": "sms",
            "message_id": sent["messages"][0]["message_id"],
            "sender": "Shop",
            "err": None,
            "error": None,
            "timestamp": None,
            "price_info": None,
        }
    ]


def test_status__failure_with_cause(sandbox: Sandbox) -> None:
    sent = send_omni(sandbox, "004")
    assert sandbox.wait_until_idle()
    (payload,) = status(sandbox, sent["omnimessage_id"])
    assert (payload["status"], payload["err"], payload["error"]) == ("REJECTD", 4, "Out of credits")
    assert datetime.fromisoformat(payload["timestamp"]).tzinfo is None
    assert payload["price_info"] is None


def test_status__delivery_with_price(sandbox: Sandbox) -> None:
    message = {"channel": "sms", "text": "x" * 161}
    sent = omni(sandbox, "POST", json={"to": "+37255500000", "messages": [message]}).json()
    assert sandbox.wait_until_idle()
    (payload,) = status(sandbox, sent["omnimessage_id"])
    assert (payload["status"], payload["err"], payload["error"]) == ("DELIVRD", 0, None)
    assert payload["price_info"] == {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"}
    assert payload["sender"] == "Sandbox"


POLLED = {
    "sent": {"ACCEPTD", "UNKNOWN", "PONDERD"},
    "failed": {"UNDELIV", "FAILED", "EXPIRED", "DELETED", "NACK", "UNKNOWN", "PONDERD"},
    "rejected": {"REJECTD"},
    "delivered": {"DELIVRD"},
    "seen": {"SEEN"},
}


@pytest.mark.parametrize(
    "scenario",
    [
        scenario
        for scenario in SCENARIOS.values()
        if not scenario.refusal and not scenario.times_out and not scenario.poll_first
    ],
    ids=lambda scenario: scenario.digits,
)
def test_status__matches_the_scenario(sandbox: Sandbox, scenario: Scenario) -> None:
    sent = send_omni(sandbox, scenario.digits)
    assert sandbox.wait_until_idle()
    response = omni(sandbox, "GET", f"/{sent['omnimessage_id']}/status")
    reports = parse_status(response.content)
    matches = [report and report.stat in POLLED[scenario.expected] for report in reports]
    assert matches == ([True] if scenario.steps else [None])


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("302", [None, None, "DELIVRD"]),
        ("303", ["ACCEPTD", "DELIVRD"]),
        ("307", [404, "DELIVRD"]),
        ("309", [500, "DELIVRD"]),
        ("329", [429, "DELIVRD"]),
        ("350", [500, "DELIVRD"]),
    ],
)
def test_status__failing_polls(sandbox: Sandbox, digits: str, expected: list[Any]) -> None:
    sent = send_omni(sandbox, digits)
    assert sandbox.wait_until_idle()
    responses = [omni(sandbox, "GET", f"/{sent['omnimessage_id']}/status") for _ in expected]
    assert expected == [
        response.json()["statuses"][0]["status"] if response.status_code == 200 else response.status_code
        for response in responses
    ]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("203", (403, "102")),
        ("204", (400, "105")),
        ("207", (400, "105")),
        ("208", (400, "105")),
        ("209", (500, "104")),
        ("229", (429, None)),
        ("250", (500, None)),
    ],
)
def test_send__refusals(sandbox: Sandbox, digits: str, expected: tuple[int, str | None]) -> None:
    response = omni(sandbox, "POST", json=MESSAGE | {"to": f"+37255500{digits}"})
    assert response.status_code == expected[0]
    if expected[1]:
        assert response.json()["errors"][0]["code"] == expected[1]
    assert not sandbox.messages


@pytest.mark.parametrize(
    ("changed", "code", "source"),
    [
        ({"to": None}, "106", "to"),
        ({"to": 37255500000}, "105", "to"),
        ({"to": "my number"}, "105", "to"),
        ({"messages": None}, "106", "messages"),
        ({"to": "\ud800"}, "105", "to"),
        ({"messages": []}, "106", "messages"),
        ({"messages": "hello"}, "105", "messages"),
        ({"messages": ["hello"]}, "105", "messages"),
        ({"messages": [{"channel": "sms"}]}, "106", "text"),
        ({"messages": [{"channel": "sms", "text": 5}]}, "105", "text"),
        ({"messages": [{"channel": "pigeon", "text": "Hello"}]}, "105", "channel"),
        ({"messages": [{"text": "Hello", "sender": 5}]}, "105", "sender"),
        ({"messages": [{"text": "Hello", "ttl": "60"}]}, "105", "ttl"),
        ({"messages": [{"text": "Hello", "ttl": True}]}, "105", "ttl"),
        ({"messages": [{"text": "Hello", "validity": 0}]}, "105", "validity"),
        ({"messages": [{"text": "Hello", "validity": 1, "ttl": 60}]}, "105", "ttl"),
        ({"messages": [{"text": "Hello", "autoconvert": "maybe"}]}, "105", "autoconvert"),
        ({"messages": [{"channel": "whatsapp"}]}, "106", "text"),
        ({"messages": [{"channel": "whatsapp", "text": "Hello"}]}, "105", "text"),
        ({"messages": [{"channel": "whatsapp", "text": {"body": "Hello"}, "image": {"link": "x"}}]}, "105", "image"),
        ({"messages": [{"channel": "rcs", "sender": "Shop"}]}, "106", "text"),
        ({"messages": [{"channel": "rcs", "text": "Hello"}]}, "106", "sender"),
        ({"messages": [{"channel": "rcs", "sender": "Shop", "text": "x" * 3073}]}, "105", "text"),
        (
            {"messages": [{"channel": "rcs", "sender": "Shop", "text": "x", "rich_card": {1: 1}}]},
            "105",
            "rich_card",
        ),
        ({"priority": "urgent"}, "105", "priority"),
        ({"text_store": "forever"}, "105", "text_store"),
        ({"dlr_url": 5}, "105", "dlr_url"),
        ({"time_to_send": "tomorrow"}, "105", "time_to_send"),
        ({"time_to_send": "0001-01-01T00:00:00+10:00"}, "105", "time_to_send"),
    ],
)
def test_send__invalid_field(sandbox: Sandbox, changed: dict[str, Any], code: str, source: str) -> None:
    response = omni(sandbox, "POST", json=MESSAGE | changed)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert set(error) == {"title", "detail", "code", "source"}
    assert (error["code"], error["source"]) == (code, source)
    assert not sandbox.messages


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_send__body_without_json_object(sandbox: Sandbox, body: bytes) -> None:
    response = omni(sandbox, "POST", data=body)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["title"], error["code"], error["source"]) == ("Invalid data", "105", None)


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", "/an-id/status"), ("DELETE", "/an-id")])
@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (None, None),
        (("shop", "wrong"), None),
        (("unknown", "a-password"), None),
        (None, "Basic !!!"),
        (None, "Basic c2hvcA=="),
        (None, "Basic /////w=="),
        (None, "Bearer c2hvcDphLXBhc3N3b3Jk"),
    ],
)
def test_endpoints__wrong_credentials(
    sandbox: Sandbox, method: str, path: str, auth: tuple[str, str] | None, header: str | None
) -> None:
    response = omni(
        sandbox, method, path, auth=auth, headers={"Authorization": header} if header else {}, json=MESSAGE
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert response.json()["errors"][0]["code"] == "103"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "", "POST"), ("GET", "/an-id", "DELETE"), ("POST", "/an-id/status", "GET")],
)
def test_endpoints__other_methods(sandbox: Sandbox, method: str, path: str, allowed: str) -> None:
    response = omni(sandbox, method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert response.json()["errors"][0]["code"] == "107"


def test_endpoints__omnimessage_of_another_account(sandbox: Sandbox) -> None:
    omnimessage_id = send_omni(sandbox, "143")["omnimessage_id"]
    for method, path in [
        ("GET", f"/{omnimessage_id}/status"),
        ("DELETE", f"/{omnimessage_id}"),
        ("GET", "/x/status"),
    ]:
        response = omni(sandbox, method, path, auth=("news", "another-password"))
        assert (response.status_code, response.json()["errors"][0]["code"]) == (404, "101")


def test_status__message_id_instead_of_omnimessage_id(sandbox: Sandbox) -> None:
    message_id = send_omni(sandbox, "143")["messages"][0]["message_id"]
    assert omni(sandbox, "GET", f"/{message_id}/status").status_code == 404
