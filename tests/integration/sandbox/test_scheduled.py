"""Scheduled messages on both APIs: reports after the time, and cancelling. The sandbox's clock is advanced."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from django_messente_dlr.sandbox import Sandbox
from tests.integration.sandbox.callback_server import CallbackServer
from tests.integration.sandbox.conftest import Start, call, omni, poll, send, send_omni

HOUR = 3600
TOO_LATE = "ERROR 999 too late to cancel (a guess of the sandbox)"


def schedule_sms(sandbox: Sandbox, digits: str = "000", **parameters: str) -> str:
    return send(sandbox, digits, time_to_send=str(int(time.time()) + HOUR), **parameters)


def schedule_omni(sandbox: Sandbox, digits: str = "000", *, zone: Any = UTC, **fields: Any) -> str:
    time_to_send = datetime.now(UTC) + timedelta(hours=1)
    text = (time_to_send.astimezone(zone) if zone else time_to_send.replace(tzinfo=None)).isoformat()
    omnimessage_id: str = send_omni(sandbox, digits, time_to_send=text, **fields)["omnimessage_id"]
    assert sandbox.messages[-1].send_at == time_to_send
    return omnimessage_id


def cancel_sms(sandbox: Sandbox, sms_unique_id: str) -> str:
    return call(sandbox, "cancel_sms", sms_unique_id=sms_unique_id).text


def cancel_omni(sandbox: Sandbox, omnimessage_id: str) -> requests.Response:
    return omni(sandbox, "DELETE", f"/{omnimessage_id}")


def test_sms__reported_after_its_time(sandbox: Sandbox, callback_server: CallbackServer) -> None:
    sms_unique_id = schedule_sms(sandbox, dlr_url=callback_server.url)
    sandbox.advance(HOUR - 60)
    assert not sandbox.wait_until_idle(0.0)
    assert poll(sandbox, sms_unique_id) == "FAILED 102"
    sandbox.advance(120)
    assert sandbox.wait_until_idle()
    assert poll(sandbox, sms_unique_id) == "OK DELIVERED"
    assert len(callback_server.callbacks) == 1


@pytest.mark.parametrize("zone", [UTC, None, timezone(timedelta(hours=-3))])
def test_omnimessage__reported_after_its_time(sandbox: Sandbox, callback_server: CallbackServer, zone: Any) -> None:
    schedule_omni(sandbox, zone=zone, dlr_url=callback_server.url)
    sandbox.advance(HOUR - 60)
    assert not sandbox.wait_until_idle(0.0)
    assert not callback_server.callbacks
    sandbox.advance(120)
    assert sandbox.wait_until_idle()
    assert len(callback_server.callbacks) == 1


def test_cancel_sms__once(sandbox: Sandbox, callback_server: CallbackServer) -> None:
    sms_unique_id = schedule_sms(sandbox, dlr_url=callback_server.url)
    other = schedule_sms(sandbox)
    assert cancel_sms(sandbox, sms_unique_id) == "OK DELETED"
    assert cancel_sms(sandbox, sms_unique_id) == "ERROR 107"
    sandbox.advance(2 * HOUR)
    assert sandbox.wait_until_idle()
    assert poll(sandbox, sms_unique_id) == "FAILED 102"
    assert poll(sandbox, other) == "OK DELIVERED"
    assert not callback_server.callbacks
    assert sandbox.messages[0].cancelled


def test_cancel_omnimessage__once(sandbox: Sandbox, callback_server: CallbackServer) -> None:
    omnimessage_id = schedule_omni(sandbox, "001", dlr_url=callback_server.url)
    cancelled = cancel_omni(sandbox, omnimessage_id)
    assert (cancelled.status_code, cancelled.json()) == (202, {})
    again = cancel_omni(sandbox, omnimessage_id)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (404, "101")
    sandbox.advance(2 * HOUR)
    assert sandbox.wait_until_idle()
    assert not callback_server.callbacks
    response = omni(sandbox, "GET", f"/{omnimessage_id}/status").json()
    assert [status["status"] for status in response["statuses"]] == [None]


def test_cancel__ends_the_wait_until_idle(sandbox: Sandbox) -> None:
    sms_unique_id, omnimessage_id = schedule_sms(sandbox), schedule_omni(sandbox)
    assert not sandbox.wait_until_idle(0.0)
    cancel_sms(sandbox, sms_unique_id)
    cancel_omni(sandbox, omnimessage_id)
    assert sandbox.wait_until_idle()


def test_cancel__when_the_time_has_come_is_a_guess(start: Start) -> None:
    """The first reports come an hour after the messages were sent, but it is too late from their time on."""
    sandbox = start(delay=HOUR)
    ids = schedule_sms(sandbox), send(sandbox)
    omnimessage_ids = schedule_omni(sandbox), send_omni(sandbox)["omnimessage_id"]
    sandbox.advance(HOUR)
    assert [cancel_sms(sandbox, sms_unique_id) for sms_unique_id in ids] == [TOO_LATE] * 2
    for omnimessage_id in omnimessage_ids:
        response = cancel_omni(sandbox, omnimessage_id)
        assert response.status_code == 409
        assert "a guess of the sandbox" in response.json()["errors"][0]["detail"]
    assert not any(message.cancelled for message in sandbox.messages)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_advance__other_values(sandbox: Sandbox, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be a number of seconds, 0 or more"):
        sandbox.advance(seconds)
