"""``manage.py messente_sandbox`` in a process: it serves, prints a line for each request, and stops."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest
import requests

from tests.processes import django_admin, environment

CREDENTIALS = {"username": "shop", "password": "a-password"}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The running command, on a free port."""
    process = subprocess.Popen(
        django_admin("messente_sandbox", "--port=0", "--delay=0"),
        env=environment(tmp_path),
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


def read_url(process: subprocess.Popen[str]) -> str:
    """Read the welcome text to its last line, and return the URL in it."""
    welcome = ""
    for line in output(process):
        welcome += line
        if "Press Ctrl-C to stop." in line:
            break
    url = re.search(r'"API_HOSTS": \["(http://127\.0\.0\.1:[0-9]+)"', welcome)
    assert url, welcome
    assert "accepts the user names news, shop" in welcome
    assert "password" not in welcome
    return url[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command__serves_until_a_signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    url = read_url(process)
    response = requests.post(f"{url}/send_sms/", {**CREDENTIALS, "to": "+37255500000", "text": "Hello"}, timeout=10)
    assert response.text.startswith("OK ")
    process.send_signal(number)
    lines = output(process).read()
    assert process.wait(timeout=30) == 0
    assert "send_sms" in lines
    assert "a-password" not in lines
    assert lines.endswith("The sandbox has stopped.\n")


def test_command__stops_when_its_output_is_closed(process: subprocess.Popen[str]) -> None:
    url = read_url(process)
    output(process).close()
    with suppress(requests.RequestException):  # the process may stop before it sends the response
        requests.post(f"{url}/get_balance/", CREDENTIALS, timeout=10)
    # Python itself exits with 120 if it cannot flush the rest of its output.
    assert process.wait(timeout=30) in {0, 120}
