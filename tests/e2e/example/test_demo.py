"""``manage.py demo --once``: its exit status, its messages, and the parts that it is made of."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console
from shop.demo.messages import CREDITS_RESTORED, EXPECTED_SIGNALS, MESSAGES, OUT_OF_CREDITS
from shop.demo.table import LiveTable, Row, build_table
from shop.demo.verification import find_differences

from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox.scenarios import SCENARIOS
from django_messente_dlr.signals import BY_NAME

PROJECT = Path(__file__).resolve().parents[3] / "example_project"
ERASE_LINE = "\x1b[2K"
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
COUNTS = {name: times or 1 for name, times in EXPECTED_SIGNALS.items()}
ROW = Row("+37255500000", "delivered", "delivered", "callback", "", "It is delivered.")


def start_demo(tmp_path: Path, *arguments: str, output: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SHOP_DATABASE": str(tmp_path / "a.sqlite3"),
        "TERM": "xterm",
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT.parent), os.environ.get("PYTHONPATH", "")])
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    command = [sys.executable, "manage.py", "demo", "--once", *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT)


def read_terminal(terminal: int) -> str:
    """Return what is written to a pseudo-terminal, without its control sequences."""
    content = b""
    # Linux reports an error where other systems report the end of the file.
    with suppress(OSError):
        while data := os.read(terminal, 65536):
            content += data
    # The live table moves the cursor to the start of its first line for each change.
    return CONTROL_SEQUENCE.sub("", content.decode().replace(ERASE_LINE, "\n"))


def test_once__in_a_terminal_of_80_columns_and_24_lines(tmp_path: Path) -> None:
    terminal, output = pty.openpty()
    termios.tcsetwinsize(output, (24, 80))
    with start_demo(tmp_path, output=output) as process:
        os.close(output)
        text = read_terminal(terminal)
    os.close(terminal)
    assert process.returncode == 0, text
    assert "Every message has its expected status." in text
    for name in BY_NAME:
        assert f"  {name} " in text
    assert "Traceback" not in text
    rows = [line for line in text.splitlines() if line.startswith("│ +")]
    assert rows
    for row in rows:
        assert len(row) == 80
        recipient, status, source, cause = (cell.strip() for cell in row[1:-1].split("│"))
        assert re.fullmatch(r"\+37255500\d{3}", recipient)
        assert status in Status.values
        assert source in {"", *Source}
        assert len(cause) > 5


def test_once__timeout(tmp_path: Path) -> None:
    with start_demo(tmp_path, "--timeout=0", output=subprocess.PIPE) as process:
        text = process.communicate(timeout=120)[0].decode()
    assert process.returncode != 0
    assert re.search(r"^ +1  \+37255500000  sent ", text, re.MULTILINE)
    assert "Every message has its expected status." not in text


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
        "queued",  # the outcome of the request is unknown
        "sent",
        "unresolved",
        "failed",
        "rejected",
        "cancelled",
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


@pytest.mark.parametrize("width", [80, 200])
def test_build_table__row_for_each_message(width: int) -> None:
    assert build_table([ROW, ROW], width=width).row_count == 2


def test_build_table__80_columns_show_recipient_status_source_and_cause() -> None:
    cause = "The account is out of credits: stop sending until credit is added, and release the hold."
    rows = [Row("+37255500004", "unresolved", "unresolved", "omnichannel", cause, "Out of credits."), ROW]
    console = Console(width=80, record=True)
    console.print(build_table(rows, width=80, height=24))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) == 80
    assert len(lines) <= 24
    (row,) = (line for line in lines if "+37255500004" in line)
    assert row.split("│")[1:4] == [" +37255500004 ", " unresolved ", " omnichannel "]
    assert "The account is out of credits" in row
