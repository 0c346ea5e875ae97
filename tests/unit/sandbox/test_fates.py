"""The table of fates is complete, and agrees with what the rest of the package makes of such reports."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import SCENARIOS, SandboxMessage, Scenario, Step, scenario_of
from django_messente_dlr.sandbox.callbacks import url_for
from django_messente_dlr.sandbox.scenarios import table
from django_messente_dlr.sandbox.state import State

every_fate = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
STEPS = [step for scenario in SCENARIOS.values() for step in scenario.steps]


@every_fate
def test_a_fate_is_named_by_three_digits_and_one_sentence(scenario: Scenario) -> None:
    assert len(scenario.digits) == 3
    assert scenario.digits.isdigit()
    assert scenario.description[0].isalpha()
    assert scenario.description.endswith(".")
    assert f"  {scenario.digits}  {scenario.expected}" in table()


@every_fate
def test_a_fate_ends_as_it_says(scenario: Scenario) -> None:
    """Each step is made into a callback and read by the package's own reader: the greatest status is the end."""
    if scenario.refusal and not scenario.recovers:
        assert not scenario.steps
        refused = Status.REJECTED if scenario.refusal.startswith("ERROR") else Status.FAILED
        assert scenario.expected == (Status.QUEUED if scenario.refusal == "HTTP 500" else refused)
        return
    state = State({"shop": "a-password"}, balance="0")  # type: ignore[arg-type]
    message = SandboxMessage(message_id="an-id", account="shop", recipient=f"+37255500{scenario.digits}")
    told = [Status.SENT]
    for step in scenario.steps:
        event = state.record_event(message, step)
        assert event is not None
        report = parse_callback(urlsplit(url_for("http://localhost/", message, event)).query)
        told.append(Status.from_report(report) or Status.SENT)
    assert scenario.expected == max(told, key=lambda status: status.rank)


def test_every_documented_error_code_has_the_fate_of_its_number() -> None:
    for code in ErrorCode:
        assert SCENARIOS[f"{code:03}"].steps[-1].code == code


def test_every_word_is_told_by_some_fate() -> None:
    told = {step.stat.upper() for step in STEPS} | {(step.get or {}).get("status") for step in STEPS}
    assert told >= {stat.value for stat in Stat}


def test_every_spelling_of_err_and_of_the_state_is_told_by_some_fate() -> None:
    assert {step.err for step in STEPS} >= {"", None, "000", "4", "004", "999"}
    masks = {(step.get or {}).get("dlr-mask") for step in STEPS}
    assert masks >= {"1", "2", "4", "8", "16"}


@pytest.mark.parametrize(
    ("recipient", "digits"),
    [("+37255500004", "004"), ("37255500999", "999"), ("+37255500888", "000"), ("", "000"), ("+3725550000x", "000")],
)
def test_the_last_three_digits_choose_and_all_others_are_delivered(recipient: str, digits: str) -> None:
    assert scenario_of(recipient).digits == digits


@pytest.mark.parametrize(
    ("digits", "needed"), [("000", False), ("101", False), ("141", True), ("143", False), ("144", True)]
)
def test_a_fate_knows_whether_only_asking_tells_its_end(digits: str, *, needed: bool) -> None:
    assert SCENARIOS[digits].needs_poll is needed


def test_a_word_that_nobody_knows_has_no_class() -> None:
    assert Step("PONDERD").delivery_class is None
