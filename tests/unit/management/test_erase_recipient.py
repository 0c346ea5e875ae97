"""``erase_recipient``: its confirmation, its output and its exit statuses."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.spellings import NUMBER

pytestmark = pytest.mark.django_db


def erase(*arguments: str) -> tuple[str, str]:
    """Run the command; return its output and its error output."""
    out, err = StringIO(), StringIO()
    call_command("erase_recipient", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt="": text)


@pytest.fixture
def message() -> SmsMessage:
    message: SmsMessage = SmsMessageFactory.create(recipient=NUMBER)
    DeliveryReportFactory.create(message=message, payload={"to": NUMBER})
    DeliveryReportFactory.create(message=None, payload={"to": NUMBER})
    return message


def is_erased(message: SmsMessage) -> bool:
    message.refresh_from_db()
    return message.is_erased


@pytest.mark.parametrize("option", ["--noinput", "--no-input"])
def test_erase_recipient__without_prompt(message: SmsMessage, option: str) -> None:
    out, err = erase("+372 5551 2345", option)
    assert out == "erased the number in 1 messages, 2 delivery reports, 0 accounts and 0 log entries\n"
    assert err == ""
    assert is_erased(message)
    assert message.recipient not in out
    assert "in 0 messages, 0 delivery reports" in erase(NUMBER, option)[0]


def test_erase_recipient__json(message: SmsMessage) -> None:
    counts = {"messages": 1, "reports": 2, "accounts": 0, "log_entries": 0}
    out, _ = erase(NUMBER, "--json", "--dry-run")
    assert json.loads(out) == {**counts, "dry_run": True}
    assert not is_erased(message)
    out, _ = erase(NUMBER, "--json", "--noinput")
    assert json.loads(out) == {**counts, "dry_run": False}
    assert is_erased(message)


def test_erase_recipient__dry_run_needs_no_confirmation(message: SmsMessage) -> None:
    out, _ = erase(NUMBER, "--dry-run")
    assert out.startswith("would erase the number in 1 messages")
    assert not is_erased(message)


def test_erase_recipient__confirmed(message: SmsMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "yes")
    out, err = erase(NUMBER, "--json")
    assert f"1 messages were sent to {NUMBER}." in err
    assert json.loads(out)["messages"] == 1
    assert is_erased(message)


@pytest.mark.parametrize("text", ["no", "", "y", "YES"])
def test_erase_recipient__not_confirmed(message: SmsMessage, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    answer(monkeypatch, text)
    with pytest.raises(CommandError, match="Nothing was erased") as raised:
        erase(NUMBER)
    assert raised.value.returncode == 1
    assert not is_erased(message)


def test_erase_recipient__no_terminal(message: SmsMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match="use --noinput"):
        erase(NUMBER)
    assert not is_erased(message)


@pytest.mark.parametrize(
    "number", [NUMBER, "37255512345", "0037255512345", "+372\u00a05551\u20112345", "00372/5551/2345"]
)
def test_erase_recipient__formats(message: SmsMessage, number: str) -> None:
    erase(number, "--noinput")
    assert is_erased(message)


@pytest.mark.parametrize(
    "number",
    ["", "55512345", "055512345", "Shop", "+", "+372 (0) 5551 2345", "erased-abc", "+37255512345x", "1" * 30],
)
def test_erase_recipient__invalid_number(number: str) -> None:
    """A national number could be taken for an international one of another country."""
    with pytest.raises(CommandError, match="is not a phone number in international format"):
        erase(number, "--noinput")


def test_erase_recipient__exit_status_without_database(message: SmsMessage) -> None:
    command: Any = "django_messente_dlr.management.commands.erase_recipient.erase_recipients"
    with (
        mock.patch(command, side_effect=InterfaceError("gone")),
        pytest.raises(CommandError, match="The database cannot be used: gone") as raised,
    ):
        erase(NUMBER, "--noinput")
    assert raised.value.returncode == 3
