"""``manage.py messente_sandbox``: starts, says how to use it, tells what happens, and ends when it is told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import IO, Any

import pytest
import requests
from django.core.management import CommandError, call_command

from django_messente_dlr.sandbox import SCENARIOS

ROOT = Path(__file__).resolve().parents[3]
CREDENTIALS = {"username": "shop", "password": "a-password"}


@pytest.fixture
def sandbox() -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, as a person starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "messente_sandbox", "--port=0", "--delay=0"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": "example_project:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    output(process).close()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def url_of(process: subprocess.Popen[str]) -> str:
    """Read what it says at first, up to its last line, and return the URL that it names."""
    welcome = ""
    for line in output(process):
        welcome += line
        if "Ctrl-C ends it." in line:
            break
    found = re.search(r'"API_HOSTS": \["(http://127\.0\.0\.1:[0-9]+)"', welcome)
    assert found, welcome
    assert "knows the user names news, shop" in welcome
    assert "password" not in welcome
    return found[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_tells_of_each_request_and_ends_well_when_it_is_told_to(
    sandbox: subprocess.Popen[str], number: signal.Signals
) -> None:
    url = url_of(sandbox)
    answer = requests.post(f"{url}/send_sms/", {**CREDENTIALS, "to": "+37255500000", "text": "Hello"}, timeout=10)
    assert answer.text.startswith("OK ")
    sandbox.send_signal(number)
    rest = output(sandbox).read()
    assert sandbox.wait(timeout=30) == 0
    assert "send_sms" in rest
    assert "a-password" not in rest
    assert rest.endswith("The sandbox has ended.\n")


def test_it_ends_when_nobody_reads_its_lines_any_more(sandbox: subprocess.Popen[str]) -> None:
    url = url_of(sandbox)
    output(sandbox).close()
    with suppress(requests.RequestException):  # it may have ended before it could answer
        requests.post(f"{url}/get_balance/", CREDENTIALS, timeout=10)
    assert sandbox.wait(timeout=30) in {0, 120}  # 120 is Python's own: what was left to print could not be


def test_help_shows_what_every_number_ends_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("messente_sandbox", "--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for digits, scenario in SCENARIOS.items():
        assert re.search(rf"^ +{digits} +{scenario.expected}\b", told, re.MULTILINE), digits


def test_a_port_that_is_taken_is_told_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1 port {port} .*--port 0"):
            call_command("messente_sandbox", f"--port={port}", stdout=StringIO())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host=0.0.0.0"], "listens for this machine alone"),
        (["--port=70000"], "There is no port 70000"),
        (["--delay=-1"], "delay is a number of seconds"),
        (["--balance=much"], "«much» is not an amount"),
        (["--balance=nan"], "«nan» is not an amount"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("messente_sandbox", *arguments, stdout=StringIO())


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({}, "No account is configured"),
        ({"USERNAME": "shop"}, "«default» of MESSENTE_DLR has no USERNAME or no PASSWORD"),
        ({"ACCOUNTS": []}, "ACCOUNTS must be a dict of dicts"),
        (
            {"ACCOUNTS": {name: {"USERNAME": "shop", "PASSWORD": name} for name in ("a", "b")}},
            "two passwords for the user name «shop»",
        ),
    ],
)
def test_settings_that_it_cannot_work_with_are_told(settings: Any, written: dict[str, Any], sentence: str) -> None:
    settings.MESSENTE_DLR = written
    with pytest.raises(CommandError, match=sentence):
        call_command("messente_sandbox", stdout=StringIO())
