"""The table of scenarios is complete, and each expected status is the one that the package derives."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import SandboxMessage
from django_messente_dlr.sandbox.callbacks import url_for
from django_messente_dlr.sandbox.scenario import Scenario, Step
from django_messente_dlr.sandbox.scenarios import SCENARIOS, scenario_of, table
from django_messente_dlr.sandbox.state import State

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
STEPS = [step for scenario in SCENARIOS.values() for step in scenario.steps]


@every_scenario
def test_scenario__has_three_digits_and_one_sentence(scenario: Scenario) -> None:
    assert len(scenario.digits) == 3
    assert scenario.digits.isdigit()
    assert scenario.description[0].isalpha()
    assert scenario.description.endswith(".")
    assert f"  {scenario.digits}  {scenario.expected}" in table()


@every_scenario
def test_scenario__ends_with_the_expected_status(scenario: Scenario) -> None:
    """The package's parser reads the callback of each step; the highest status is the final one."""
    if scenario.refusal and not scenario.recovers:
        assert not scenario.steps
        refused_status = Status.REJECTED if scenario.refusal.startswith("ERROR") else Status.FAILED
        assert scenario.expected == (Status.QUEUED if scenario.refusal == "HTTP 500" else refused_status)
        return
    state = State({"shop": "a-password"}, balance="0")  # type: ignore[arg-type]
    message = SandboxMessage(message_id="an-id", account="shop", recipient=f"+37255500{scenario.digits}")
    statuses = [Status.SENT]
    for step in scenario.steps:
        event = state.record_event(message, step)
        assert event is not None
        report = parse_callback(urlsplit(url_for("http://localhost/", message, event)).query)
        statuses.append(Status.from_report(report) or Status.SENT)
    assert scenario.expected == max(statuses, key=lambda status: status.rank)


def test_table__has_every_documented_error_code() -> None:
    for code in ErrorCode:
        assert SCENARIOS[f"{code:03}"].steps[-1].code == code


def test_table__has_every_documented_status_code() -> None:
    stats = {step.stat.upper() for step in STEPS} | {(step.get or {}).get("status") for step in STEPS}
    assert stats >= {stat.value for stat in Stat}


def test_table__has_every_spelling() -> None:
    assert {step.err for step in STEPS} >= {"", None, "000", "4", "004", "999"}
    masks = {(step.get or {}).get("dlr-mask") for step in STEPS}
    assert masks >= {"1", "2", "4", "8", "16"}


@pytest.mark.parametrize(
    ("recipient", "digits"),
    [("+37255500004", "004"), ("37255500999", "999"), ("+37255500888", "000"), ("", "000"), ("+3725550000x", "000")],
)
def test_scenario_of__last_three_digits(recipient: str, digits: str) -> None:
    assert scenario_of(recipient).digits == digits


@pytest.mark.parametrize(
    ("digits", "needed"), [("000", False), ("101", False), ("141", True), ("143", False), ("144", True)]
)
def test_needs_poll__final_status_without_callback(digits: str, *, needed: bool) -> None:
    assert SCENARIOS[digits].needs_poll is needed


def test_delivery_class__unrecognised_status_code() -> None:
    assert Step("PONDERD").delivery_class is None
