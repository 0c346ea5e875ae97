"""``manage.py demo --once``: its exit status, its messages, and the parts that it is made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from shop.demo.messages import CREDITS_RESTORED, EXPECTED_SIGNALS, MESSAGES, OUT_OF_CREDITS
from shop.demo.table import LiveTable, Row, build_table
from shop.demo.verification import find_differences

from django_messente_dlr.sandbox import SCENARIOS
from django_messente_dlr.signals import BY_NAME

PROJECT = Path(__file__).resolve().parents[3] / "example_project"
COUNTS = {name: times or 1 for name, times in EXPECTED_SIGNALS.items()}
ROW = Row("+37255500000", "delivered", "delivered", "callback", "", "It is delivered.")


def run_demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SHOP_DATABASE": str(tmp_path / "a.sqlite3"),
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_once__all_as_expected(tmp_path: Path) -> None:
    process = run_demo(tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "Every message has its expected status." in process.stdout
    for name in BY_NAME:
        assert f"  {name} " in process.stdout
    assert "Traceback" not in process.stdout + process.stderr


def test_once__timeout(tmp_path: Path) -> None:
    process = run_demo(tmp_path, "--timeout=0")
    assert process.returncode != 0
    assert "Every message has its expected status." not in process.stdout


@pytest.mark.parametrize(
    ("statuses", "signal_counts", "sentence"),
    [
        ([("a", "delivered", "sent")], COUNTS, "a should be delivered, but is sent."),
        ([], {**COUNTS, "dlr_delivered": 0}, "dlr_delivered was expected, but was not sent."),
        ([], {**COUNTS, "credits_exhausted": 2}, "credits_exhausted was expected 1 times, but was sent 2 times."),
        ([], {**COUNTS, "credits_restored": 0}, "credits_restored was expected 1 times, but was sent 0 times."),
        ([], {**COUNTS, "dlr_guessed": 1}, "dlr_guessed was sent unexpectedly."),
    ],
)
def test_find_differences__each_difference(
    statuses: list[tuple[str, str, str]], signal_counts: dict[str, int], sentence: str
) -> None:
    assert find_differences(statuses, signal_counts, EXPECTED_SIGNALS) == [sentence]


def test_find_differences__none() -> None:
    assert find_differences([("a", "seen", "seen")], COUNTS, EXPECTED_SIGNALS) == []


def test_messages__cover_every_final_status() -> None:
    messages = [*MESSAGES, OUT_OF_CREDITS, CREDITS_RESTORED]
    assert len(messages) >= 30
    assert {message.expected for message in messages} == {
        "sent",
        "unresolved",
        "failed",
        "rejected",
        "delivered",
        "seen",
    }
    assert {message.digits for message in messages} <= set(SCENARIOS)


def test_expected_signals__cover_every_signal() -> None:
    assert set(EXPECTED_SIGNALS) == set(BY_NAME)


def test_live_table__fits_the_terminal() -> None:
    console = Console(force_terminal=True, width=120, height=12, record=True)
    unexpected = Row("+37255500999", "sent", "failed", "", "", "A temporary error occurs.")
    with LiveTable(console, lambda line: None) as table:
        table.show([ROW] * 20 + [unexpected])
    text = console.export_text()
    assert "+37255500999" in text  # a row without its expected status stays visible
    assert "more" in text


def test_live_table__without_terminal() -> None:
    lines: list[str] = []
    with LiveTable(Console(force_terminal=False), lines.append) as table:
        table.show([ROW])
        table.show([ROW])
    assert len(lines) == 1
    assert "+37255500000  delivered" in lines[0]


def test_build_table__row_for_each_message() -> None:
    assert build_table([ROW, ROW]).row_count == 2
