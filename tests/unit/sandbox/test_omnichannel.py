"""The Omnichannel API answers as Messente's own client expects it, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_messente_dlr.messente.parsers import parse_status
from django_messente_dlr.sandbox import SCENARIOS, Sandbox, Scenario
from tests.unit.sandbox.conftest import Start, omni, send_omni

MESSAGE = {"to": "+37255500000", "messages": [{"channel": "sms", "sender": "Shop", "text": "Your parcel is here."}]}


def status(sandbox: Sandbox, omnimessage_id: str) -> list[dict[str, Any]]:
    answer = omni(sandbox, "GET", f"/{omnimessage_id}/status").json()
    assert set(answer) == {"statuses", "to", "omnimessage_id"}
    assert answer["omnimessage_id"] == omnimessage_id
    statuses: list[dict[str, Any]] = answer["statuses"]
    return statuses


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_call_works_with_and_without_the_last_slash(sandbox: Sandbox, slash: str) -> None:
    sent = omni(sandbox, "POST", slash, json=MESSAGE | {"to": "+37255500143"})
    assert sent.status_code == 201
    assert sent.headers["Content-Type"] == "application/json"
    answer = sent.json()
    assert set(answer) == {"messages", "to", "omnimessage_id"}
    assert [set(message) for message in answer["messages"]] == [{"message_id", "channel", "sender"}]
    assert answer["to"] == "+37255500143"
    asked = omni(sandbox, "GET", f"/{answer['omnimessage_id']}/status{slash}")
    assert asked.status_code == 200
    cancelled = omni(sandbox, "DELETE", f"/{answer['omnimessage_id']}{slash}")
    assert (cancelled.status_code, cancelled.json()) == (202, {})


def test_nothing_is_known_of_a_message_before_its_first_report(start: Start) -> None:
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


def test_a_failure_is_told_with_its_cause(sandbox: Sandbox) -> None:
    sent = send_omni(sandbox, "004")
    assert sandbox.wait_until_idle()
    (told,) = status(sandbox, sent["omnimessage_id"])
    assert (told["status"], told["err"], told["error"]) == ("REJECTD", 4, "Out of credits")
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is None
    assert told["price_info"] is None


def test_a_delivery_is_told_with_its_price(sandbox: Sandbox) -> None:
    message = {"channel": "sms", "text": "x" * 161}
    sent = omni(sandbox, "POST", json={"to": "+37255500000", "messages": [message]}).json()
    assert sandbox.wait_until_idle()
    (told,) = status(sandbox, sent["omnimessage_id"])
    assert (told["status"], told["err"], told["error"]) == ("DELIVRD", 0, None)
    assert told["price_info"] == {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"}
    assert told["sender"] == "Sandbox"


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
def test_the_status_tells_what_the_fate_says(sandbox: Sandbox, scenario: Scenario) -> None:
    sent = send_omni(sandbox, scenario.digits)
    assert sandbox.wait_until_idle()
    answer = omni(sandbox, "GET", f"/{sent['omnimessage_id']}/status")
    reports = parse_status(answer.content)
    told = [report and report.stat in POLLED[scenario.expected] for report in reports]
    assert told == ([True] if scenario.steps else [None])


@pytest.mark.parametrize(
    ("digits", "told"),
    [
        ("302", [None, None, "DELIVRD"]),
        ("303", ["ACCEPTD", "DELIVRD"]),
        ("307", [404, "DELIVRD"]),
        ("309", [500, "DELIVRD"]),
        ("329", [429, "DELIVRD"]),
        ("350", [500, "DELIVRD"]),
    ],
)
def test_trouble_while_asking_is_told_as_this_api_tells_it(sandbox: Sandbox, digits: str, told: list[Any]) -> None:
    sent = send_omni(sandbox, digits)
    assert sandbox.wait_until_idle()
    answers = [omni(sandbox, "GET", f"/{sent['omnimessage_id']}/status") for _ in told]
    assert told == [
        answer.json()["statuses"][0]["status"] if answer.status_code == 200 else answer.status_code
        for answer in answers
    ]


@pytest.mark.parametrize(
    ("digits", "told"),
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
def test_refusals_are_told_as_this_api_tells_them(
    sandbox: Sandbox, digits: str, told: tuple[int, str | None]
) -> None:
    answer = omni(sandbox, "POST", json=MESSAGE | {"to": f"+37255500{digits}"})
    assert answer.status_code == told[0]
    if told[1]:
        assert answer.json()["errors"][0]["code"] == told[1]
    assert not sandbox.messages


def test_the_channels_after_the_first_stay_unused(sandbox: Sandbox) -> None:
    messages = [{"channel": "viber", "text": {"body": "Hello"}}, {"channel": "whatsapp"}, {"text": "Hello"}]
    sent = omni(sandbox, "POST", json={"to": "+37255500010", "messages": messages}).json()
    assert [message["channel"] for message in sent["messages"]] == ["viber", "whatsapp", "sms"]
    assert sandbox.wait_until_idle()
    told = status(sandbox, sent["omnimessage_id"])
    assert [(one["channel"], one["status"], one["err"]) for one in told] == [
        ("viber", "SEEN", 10),
        ("whatsapp", None, None),
        ("sms", None, None),
    ]
    assert told[0]["error"] is None
    assert len({message.message_id for message in sandbox.messages}) == 3


@pytest.mark.parametrize(
    ("changed", "code", "source"),
    [
        ({"to": None}, "106", "to"),
        ({"to": 37255500000}, "105", "to"),
        ({"to": "my number"}, "105", "to"),
        ({"messages": None}, "106", "messages"),
        ({"messages": []}, "106", "messages"),
        ({"messages": "hello"}, "105", "messages"),
        ({"messages": ["hello"]}, "105", "messages"),
        ({"messages": [{"channel": "sms"}]}, "106", "text"),
        ({"messages": [{"channel": "sms", "text": 5}]}, "105", "text"),
        ({"messages": [{"channel": "pigeon", "text": "Hello"}]}, "105", "channel"),
        ({"messages": [{"text": "Hello", "sender": 5}]}, "105", "sender"),
        ({"dlr_url": 5}, "105", "dlr_url"),
        ({"time_to_send": "tomorrow"}, "105", "time_to_send"),
        ({"time_to_send": "0001-01-01T00:00:00+10:00"}, "105", "time_to_send"),
    ],
)
def test_a_wrong_field_is_named(sandbox: Sandbox, changed: dict[str, Any], code: str, source: str) -> None:
    answer = omni(sandbox, "POST", json=MESSAGE | changed)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert set(error) == {"title", "detail", "code", "source"}
    assert (error["code"], error["source"]) == (code, source)
    assert not sandbox.messages


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, b'{"to": "\\ud800"}'])
def test_a_body_that_is_no_json_object_is_400(sandbox: Sandbox, body: bytes) -> None:
    answer = omni(sandbox, "POST", data=body)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["title"], error["code"], error["source"]) == ("Invalid data", "105", None)


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", "/an-id/status"), ("DELETE", "/an-id")])
@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (None, None),
        (("shop", "wrong"), None),
        (("nobody", "a-password"), None),
        (None, "Basic !!!"),
        (None, "Basic c2hvcA=="),
        (None, "Basic /////w=="),
        (None, "Bearer c2hvcDphLXBhc3N3b3Jk"),
    ],
)
def test_wrong_credentials_are_401(
    sandbox: Sandbox, method: str, path: str, auth: tuple[str, str] | None, header: str | None
) -> None:
    answer = omni(sandbox, method, path, auth=auth, headers={"Authorization": header} if header else {}, json=MESSAGE)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["errors"][0]["code"] == "103"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "", "POST"), ("GET", "/an-id", "DELETE"), ("POST", "/an-id/status", "GET")],
)
def test_other_methods_are_not_allowed(sandbox: Sandbox, method: str, path: str, allowed: str) -> None:
    answer = omni(sandbox, method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["errors"][0]["code"] == "107"


def test_another_accounts_omnimessage_is_unknown(sandbox: Sandbox) -> None:
    omnimessage_id = send_omni(sandbox, "143")["omnimessage_id"]
    for method, path in [
        ("GET", f"/{omnimessage_id}/status"),
        ("DELETE", f"/{omnimessage_id}"),
        ("GET", "/x/status"),
    ]:
        answer = omni(sandbox, method, path, auth=("news", "another-password"))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "101")


def test_a_message_id_is_no_omnimessage_id(sandbox: Sandbox) -> None:
    message_id = send_omni(sandbox, "143")["messages"][0]["message_id"]
    assert omni(sandbox, "GET", f"/{message_id}/status").status_code == 404


@pytest.mark.parametrize("zone", [UTC, None])
def test_an_omnimessage_that_waits_for_its_time_can_be_cancelled_once(sandbox: Sandbox, zone: Any) -> None:
    moment = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=zone)
    sent = send_omni(sandbox, time_to_send=moment.isoformat())
    assert sandbox.messages[0].send_at == moment.replace(tzinfo=UTC)
    assert omni(sandbox, "DELETE", f"/{sent['omnimessage_id']}").status_code == 202
    assert omni(sandbox, "DELETE", f"/{sent['omnimessage_id']}").status_code == 404
    assert status(sandbox, sent["omnimessage_id"])[0]["status"] is None


def test_it_is_too_late_to_cancel_what_was_reported(sandbox: Sandbox) -> None:
    sent = send_omni(sandbox)
    assert sandbox.wait_until_idle()
    assert omni(sandbox, "DELETE", f"/{sent['omnimessage_id']}").status_code == 404
