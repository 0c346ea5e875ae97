"""``manage.py messente_sandbox``: its help, and the errors that prevent it from starting."""

from __future__ import annotations

import re
import socket
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_messente_dlr.sandbox.scenarios import SCENARIOS


def test_help__lists_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        call_command("messente_sandbox", "--help")
    assert raised.value.code == 0
    text = capsys.readouterr().out
    for digits, scenario in SCENARIOS.items():
        assert re.search(rf"^ +{digits} +{scenario.expected}\b", text, re.MULTILINE), digits


def test_port__in_use() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1 port {port} .*--port 0"):
            call_command("messente_sandbox", f"--port={port}", stdout=StringIO())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host=0.0.0.0"], "listens on loopback addresses only"),
        (["--port=70000"], "Port 70000 does not exist"),
        (["--delay=-1"], "delay must be a number of seconds"),
        (["--balance=much"], '"much" is not an amount'),
        (["--balance=nan"], '"nan" is not an amount'),
    ],
)
def test_arguments__invalid(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("messente_sandbox", *arguments, stdout=StringIO())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "No account is configured"),
        ({"USERNAME": "shop"}, '"default" of MESSENTE_DLR has no USERNAME or no PASSWORD'),
        ({"ACCOUNTS": []}, "ACCOUNTS must be a dict of dicts"),
        (
            {"ACCOUNTS": {name: {"USERNAME": "shop", "PASSWORD": name} for name in ("a", "b")}},
            'two passwords for the user name "shop"',
        ),
    ],
)
def test_settings__unusable(settings: Any, values: dict[str, Any], sentence: str) -> None:
    settings.MESSENTE_DLR = values
    with pytest.raises(CommandError, match=sentence):
        call_command("messente_sandbox", stdout=StringIO())
