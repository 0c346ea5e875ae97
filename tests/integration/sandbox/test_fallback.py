"""Messages of several channels: the next channel is tried when one fails. Over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.channel_scenarios import CHANNEL_SCENARIOS
from django_messente_dlr.sandbox.scenario import Scenario, highest_step
from tests.integration.sandbox.callback_server import CallbackServer
from tests.integration.sandbox.conftest import Start, omni, send, send_omni

VIBER = {"channel": "viber", "text": "Hello", "sender": "Shop", "ttl": 60}
WHATSAPP = {"channel": "whatsapp", "text": {"body": "Hello"}}
RCS = {"channel": "rcs", "text": "Hello", "sender": "Shop"}
SMS = {"text": "Hello", "sender": "Shop", "validity": 60}
CHANNELS = [VIBER, WHATSAPP, SMS]

# The callbacks to a message over Viber, WhatsApp and SMS, in their order.
CALLBACKS = {
    "000": ["viber DELIVRD 0"],
    "001": ["viber UNDELIV 1", "whatsapp UNDELIV 1", "sms UNDELIV 1"],
    "010": ["viber DELIVRD 0", "viber SEEN 10"],
    "102": ["viber ACCEPTD 0"],
    "105": ["viber DELIVRD 0", "viber FAILED 1"],
    "401": ["viber UNDELIV 1", "whatsapp DELIVRD 0"],
    "402": ["viber UNDELIV 1", "whatsapp REJECTD 7", "sms DELIVRD 0"],
    "403": ["viber ACCEPTD 0", "viber EXPIRED 2", "whatsapp DELIVRD 0"],
    "404": ["viber UNDELIV 1", "whatsapp UNDELIV 3", "sms EXPIRED 2"],
    "405": ["viber REJECTD 7", "whatsapp UNDELIV 1", "sms UNDELIV 1"],
    "406": ["viber UNDELIV 1"] * 6 + ["whatsapp DELIVRD 0"] * 6,
    "407": ["whatsapp DELIVRD 0", "viber UNDELIV 1"],
    "408": ["sms EXPIRED 2", "whatsapp UNDELIV 3", "viber UNDELIV 1"],
    "409": ["viber UNDELIV 1", "viber DELIVRD 0", "whatsapp DELIVRD 0"],
    "411": [],
    "412": [],
    "413": ["viber UNDELIV 1", "whatsapp UNDELIV 3"],
}


def send_channels(sandbox: Sandbox, digits: str, channels: list[Any], **fields: Any) -> dict[str, Any]:
    sent = omni(sandbox, "POST", json={"to": f"+37255500{digits}", "messages": channels, **fields})
    assert sent.status_code == 201
    response: dict[str, Any] = sent.json()
    assert sandbox.wait_until_idle()
    return response


def statuses(sandbox: Sandbox, sent: dict[str, Any]) -> list[str]:
    response = omni(sandbox, "GET", f"/{sent['omnimessage_id']}/status").json()
    assert [channel["message_id"] for channel in response["statuses"]] == [
        message["message_id"] for message in sent["messages"]
    ]
    return [f"{channel['channel']} {channel['status']} {channel['err']}" for channel in response["statuses"]]


@pytest.mark.parametrize(("digits", "expected"), CALLBACKS.items(), ids=CALLBACKS)
def test_callbacks__of_each_channel(
    start: Start, callback_server: CallbackServer, digits: str, expected: list[str]
) -> None:
    """With delay, the order of the callbacks is that of the channels. Duplicates and 409 come at the same moment."""
    sandbox = start()
    sent = send_channels(sandbox, digits, CHANNELS, dlr_url=callback_server.url)
    reports = [json.loads(callback.body) for callback in callback_server.callbacks]
    received = [f"{report['channel']} {report['status']} {report['err']}" for report in reports]
    if digits in {"406", "409"}:
        assert sorted(received) == sorted(expected)
    else:
        assert received == expected
    ids = {message["channel"]: message["message_id"] for message in sent["messages"]}
    assert all(report["message_id"] == ids[report["channel"]] for report in reports)
    assert {report["omnimessage_id"] for report in reports} <= {sent["omnimessage_id"]}


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("000", ["viber DELIVRD 0", "whatsapp None None", "sms None None"]),
        ("001", ["viber UNDELIV 1", "whatsapp UNDELIV 1", "sms UNDELIV 1"]),
        ("103", ["viber DELIVRD 0", "whatsapp DELIVRD 0", "sms DELIVRD 0"]),
        ("143", ["viber None None", "whatsapp None None", "sms None None"]),
        ("403", ["viber EXPIRED 2", "whatsapp DELIVRD 0", "sms None None"]),
        ("411", ["viber UNDELIV 1", "whatsapp DELIVRD 0", "sms None None"]),
        ("412", ["viber UNDELIV 1", "whatsapp UNDELIV 3", "sms EXPIRED 2"]),
        ("413", ["viber UNDELIV 1", "whatsapp UNDELIV 3", "sms EXPIRED 2"]),
    ],
)
def test_status__lists_all_channels_in_order(sandbox: Sandbox, digits: str, expected: list[str]) -> None:
    assert statuses(sandbox, send_channels(sandbox, digits, CHANNELS)) == expected


@pytest.mark.parametrize(
    ("digits", "expected"), [("302", ["None"] * 3), ("303", ["ACCEPTD", "None", "None"])], ids=["302", "303"]
)
def test_status__prescribed_for_the_first_channel(sandbox: Sandbox, digits: str, expected: list[str]) -> None:
    sent = send_channels(sandbox, digits, CHANNELS)
    assert [status.split()[1] for status in statuses(sandbox, sent)] == expected


@pytest.mark.parametrize("scenario", CHANNEL_SCENARIOS, ids=lambda scenario: scenario.digits)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_scenario__ends_as_expected_with_any_number(scenario: Scenario, count: int) -> None:
    """Each channel but the last one fails, if it is tried."""
    ends = []
    for position in range(count):
        ends.append(highest_step(scenario.steps_of(position, count=count)))
        assert ends[-1] is not None
        if ends[-1].stat == "DELIVRD":
            break
    last = ends[-1]
    assert last is not None
    cause = ErrorCode.from_code(last.code)
    assert scenario.expected == ("delivered" if last.stat == "DELIVRD" else cause and cause.delivery_class)


def test_two_channels__last_one_has_the_final_report(sandbox: Sandbox) -> None:
    assert statuses(sandbox, send_channels(sandbox, "402", [VIBER, SMS])) == ["viber UNDELIV 1", "sms DELIVRD 0"]
    assert statuses(sandbox, send_channels(sandbox, "404", [RCS, SMS])) == ["rcs UNDELIV 1", "sms EXPIRED 2"]


def test_one_channel__has_the_final_report(sandbox: Sandbox) -> None:
    assert statuses(sandbox, send_channels(sandbox, "402", [SMS])) == ["sms DELIVRD 0"]
    send(sandbox, "404")
    assert sandbox.wait_until_idle()
    assert [event.step.stat for event in sandbox.messages[-1].events] == ["EXPIRED"]


def test_late_callback__without_a_report_of_the_next_channel(start: Start, callback_server: CallbackServer) -> None:
    """The second channel has no report, so the callback that was held back for it is sent without one."""
    sandbox = start()
    sandbox.channel_scenarios = {"sms": "143"}
    send_channels(sandbox, "407", [VIBER, SMS], dlr_url=callback_server.url)
    assert [json.loads(callback.body)["channel"] for callback in callback_server.callbacks] == ["viber"]


def test_channel_scenarios__by_the_name_of_the_channel(sandbox: Sandbox) -> None:
    before = send_omni(sandbox, channel="viber")
    sandbox.channel_scenarios = {"viber": "001", "sms": "010"}
    sent = send_channels(sandbox, "000", [VIBER, SMS])
    assert statuses(sandbox, before) == ["viber DELIVRD 0"]
    assert statuses(sandbox, sent) == ["viber UNDELIV 1", "sms SEEN 10"]
    send(sandbox, "004")
    assert sandbox.wait_until_idle()
    assert sandbox.messages[-1].events[-1].step.stat == "SEEN"
    sandbox.channel_scenarios = {}
    assert statuses(sandbox, send_channels(sandbox, "000", [VIBER, SMS])) == ["viber DELIVRD 0", "sms None None"]


@pytest.mark.parametrize(
    ("channel_scenarios", "sentence"),
    [
        ({"pigeon": "001"}, '"pigeon" is not a channel. Use rcs, sms, telegram, viber, whatsapp.'),
        ({"viber": "888"}, '"888" is not a scenario of reports'),
        ({"viber": "203"}, "none that start with 2"),
    ],
)
def test_channel_scenarios__invalid(sandbox: Sandbox, channel_scenarios: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        sandbox.channel_scenarios = channel_scenarios
    assert sandbox.channel_scenarios == {}


def test_content__is_stored_as_received(sandbox: Sandbox) -> None:
    send_channels(sandbox, "000", CHANNELS)
    assert [message.content for message in sandbox.messages] == CHANNELS
    assert [message.text for message in sandbox.messages] == ["Hello", "", "Hello"]


@pytest.mark.parametrize("digits", ["103", "404", "409"])
def test_simultaneous__all_callbacks_before_the_first_response(start: Start, digits: str) -> None:
    """The server holds every response back until all callbacks have arrived."""
    sandbox = start(simultaneous=True)
    with CallbackServer(held=True) as callback_server:
        payload = {"to": f"+37255500{digits}", "messages": CHANNELS, "dlr_url": callback_server.url}
        assert omni(sandbox, "POST", json=payload).status_code == 201
        reports = [json.loads(callback_server.next().body) for _ in CALLBACKS.get(digits, range(6))]
        callback_server.release.set()
        assert sandbox.wait_until_idle()
    assert len({(report["message_id"], report["status"]) for report in reports}) == len(callback_server.callbacks)
