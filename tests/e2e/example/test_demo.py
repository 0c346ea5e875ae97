"""``manage.py demo --once``: ends well, and would say so if it did not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from shop.demo.cast import AFTERWARDS, CAST, EXPECTED_SIGNALS, OUT_OF_CREDIT
from shop.demo.table import Board, Line, table
from shop.demo.verdict import differences

from django_messente_dlr.sandbox import SCENARIOS
from django_messente_dlr.signals import BY_NAME

PROJECT = Path(__file__).resolve().parents[3] / "example_project"
HEARD = {name: times or 1 for name, times in EXPECTED_SIGNALS.items()}
LINE = Line("+37255500000", "delivered", "delivered", "callback", "", "It is delivered.")


def demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
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


def test_once_ends_well_and_tells_of_every_signal(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every message ended as it should." in done.stdout
    for name in BY_NAME:
        assert f"  {name} " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_once_fails_where_there_was_no_time_for_the_ends(tmp_path: Path) -> None:
    done = demo(tmp_path, "--timeout=0")
    assert done.returncode != 0
    assert "Every message ended as it should." not in done.stdout


@pytest.mark.parametrize(
    ("ends", "heard", "sentence"),
    [
        ([("a", "delivered", "sent")], HEARD, "a should be delivered, but is sent."),
        ([], {**HEARD, "dlr_delivered": 0}, "dlr_delivered should have been heard, but was not."),
        ([], {**HEARD, "credits_exhausted": 2}, "credits_exhausted should have been heard 1 times, but was 2 times."),
        ([], {**HEARD, "credits_restored": 0}, "credits_restored should have been heard 1 times, but was 0 times."),
        ([], {**HEARD, "dlr_guessed": 1}, "dlr_guessed was heard, but nobody expected it."),
    ],
)
def test_whatever_is_not_as_it_should_be_is_told(
    ends: list[tuple[str, str, str]], heard: dict[str, int], sentence: str
) -> None:
    assert differences(ends, heard, EXPECTED_SIGNALS) == [sentence]


def test_nothing_is_told_where_all_is_well() -> None:
    assert differences([("a", "seen", "seen")], HEARD, EXPECTED_SIGNALS) == []


def test_the_cast_is_some_thirty_messages_that_end_in_every_way() -> None:
    cast = [*CAST, OUT_OF_CREDIT, AFTERWARDS]
    assert len(cast) >= 30
    assert {part.expected for part in cast} == {"sent", "unresolved", "failed", "rejected", "delivered", "seen"}
    assert {part.digits for part in cast} <= set(SCENARIOS)


def test_every_signal_is_expected() -> None:
    assert set(EXPECTED_SIGNALS) == set(BY_NAME)


def test_a_terminal_gets_a_table_that_fits_it() -> None:
    console = Console(force_terminal=True, width=120, height=12, record=True)
    other = Line("+37255500999", "sent", "failed", "", "", "A temporary error stops it.")
    with Board(console, lambda line: None) as board:
        board.show([LINE] * 20 + [other])
    shown = console.export_text()
    assert "+37255500999" in shown  # what has not ended stays in view
    assert "more" in shown


def test_no_terminal_gets_a_line_for_each_change() -> None:
    written: list[str] = []
    with Board(Console(force_terminal=False), written.append) as board:
        board.show([LINE])
        board.show([LINE])
    assert len(written) == 1
    assert "+37255500000  delivered" in written[0]


def test_the_table_has_a_row_for_each_message() -> None:
    assert table([LINE, LINE]).row_count == 2
