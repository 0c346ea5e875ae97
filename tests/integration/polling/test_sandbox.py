"""Poll the sandbox over real HTTP, in the scenarios in which it sends no final callback."""

from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.polling import Poller
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from django_messente_dlr.sending import send_sms
from tests.unit.polling.rows import make_due, seen

pytestmark = pytest.mark.django_db(transaction=True)

SCENARIOS_WITHOUT_CALLBACK = ["141", "142", "144", "145", "302", "303", "307", "309", "329", "350"]


@pytest.mark.parametrize("digits", SCENARIOS_WITHOUT_CALLBACK)
def test_run__scenarios_without_callback(digits: str, messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": None}
    message = send_sms(f"+37255500{digits}", "Your parcel is here")
    assert messente_sandbox.wait_until_idle()
    for _ in range(1 + len(SCENARIOS[digits].poll_first)):
        make_due(message)
        Poller().run()
    assert seen(message).status == SCENARIOS[digits].expected


def test_run__concurrent_requests(messente_sandbox: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": None}
    messages = [send_sms(f"+372555{number:02}141", "Your parcel is here") for number in range(20)]
    assert messente_sandbox.wait_until_idle()
    make_due(*messages)
    summary = Poller(concurrency=8).run()
    assert (summary.asked, summary.final, summary.failed) == (20, 20, 0)
    assert {seen(message).status for message in messages} == {"delivered"}
