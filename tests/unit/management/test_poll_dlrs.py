"""``poll_dlrs``: its output and its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [FIRST]}
    with Messente() as messente:
        yield messente


def poll(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("poll_dlrs", *arguments, stdout=out, **options)
    return out.getvalue()


def test_poll_dlrs__success(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    output = poll()
    assert output.startswith("asked 1, final 1, open 0, unresolved 0, failed 0")
    assert len(output.splitlines()) == 1


def test_poll_dlrs__nothing_due(messente: Messente) -> None:
    assert poll().startswith("asked 0")


def test_poll_dlrs__waiting_messages(messente: Messente) -> None:
    assert poll().rstrip().endswith("; no message waits for a poll")
    now = timezone.now()
    first = now + timedelta(hours=1)
    SmsMessageFactory.create(created_at=now, next_poll_at=first)
    local = timezone.localtime(first)
    assert poll().rstrip().endswith(f"; 1 message waits for a poll, the first is due at {local:%Y-%m-%d %H:%M:%S %Z}")
    SmsMessageFactory.create(account="marketing", created_at=now, next_poll_at=now + timedelta(hours=2))
    assert "; 2 messages wait for a poll, the first is due at " in poll()
    summary = json.loads(poll("--json", "--account=default"))
    assert (summary["waiting"], summary["next_poll_at"]) == (1, first.isoformat())


@pytest.mark.parametrize("command", [["poll_dlrs"], ["prune_dlrs", "--days=7"], ["erase_recipient", "+37255500000"]])
def test_commands__missing_migrations(command: list[str]) -> None:
    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if f'"{SmsMessage._meta.db_table}"' in sql.replace("`", '"'):
            raise ProgrammingError("relation does not exist")
        return execute(sql, *args)

    migrations = [(Migration("0002_later", "django_messente_dlr"), False)]
    with (
        connection.execute_wrapper(refuse),
        mock.patch.object(MigrationExecutor, "migration_plan", return_value=migrations),
        pytest.raises(CommandError) as raised,
    ):
        call_command(*command, stdout=StringIO())
    assert raised.value.returncode == 3
    assert str(raised.value) == (
        "Migrations are missing: 0002_later. Run: python manage.py migrate django_messente_dlr"
    )


def test_poll_dlrs__verbosity_0(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll(verbosity=0) == ""


def test_poll_dlrs__failed_poll(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "rubbish")
    with pytest.raises(CommandError, match="1 polls failed; the log has the reasons") as raised:
        poll()
    assert raised.value.returncode == 1


@pytest.mark.parametrize(("answer", "hint"), [("ERROR 101", "Compare USERNAME"), ("ERROR 103", "Add the address")])
def test_poll_dlrs__rejected_account(answer: str, hint: str, messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, answer)
    with pytest.raises(CommandError, match=f"Account default: .*{hint}") as raised:
        poll()
    assert raised.value.returncode == 2
    assert "a-password" not in str(raised.value)


def test_poll_dlrs__unknown_account() -> None:
    with pytest.raises(CommandError, match="no account 'other'") as raised:
        poll("--account=other")
    assert raised.value.returncode == 2


def test_poll_dlrs__account_option(messente: Messente) -> None:
    due()
    due(account="marketing")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--account=marketing").startswith("asked 1,")
    assert messente.body()["username"] == "news"
    assert poll("--account=marketing", "--account=default").startswith("asked 1,")


def test_poll_dlrs__json(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK SENT")
    summary = json.loads(poll("--json"))
    assert {**summary, "asked": 1, "open": 1, "final": 0, "failed": 0, "stopped": {}} == summary


def test_poll_dlrs__account_on_hold(messente: Messente) -> None:
    messente.answer(FIRST, "get_balance", "OK 0")
    since = AccountFactory.create(held=True).credits_exhausted_at
    hold = f"on credit hold since {since:%Y-%m-%d %H:%M} UTC"
    assert poll().endswith(f"; account default is {hold}\n")
    assert json.loads(poll("--json"))["held"] == {"default": hold}


def test_poll_dlrs__json_of_rejected_account(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("poll_dlrs", "--json", stdout=out)
    assert "default" in json.loads(out.getvalue())["stopped"]


def test_poll_dlrs__limit_and_sizes(messente: Messente) -> None:
    for _ in range(4):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--limit=3", "--batch-size=2", "--concurrency=2").startswith("asked 3,")


@pytest.mark.parametrize("option", ["--limit", "--batch-size", "--concurrency"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_poll_dlrs__invalid_integer(option: str, value: str) -> None:
    with pytest.raises(CommandError, match="not a whole number of at least 1"):
        poll(f"{option}={value}")


@pytest.mark.parametrize("option", ["--rate", "--watch"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_poll_dlrs__invalid_number(option: str, value: str) -> None:
    with pytest.raises(CommandError, match="not a number above 0"):
        poll(f"{option}={value}")


def test_poll_dlrs__rate(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--rate=0.5").startswith("asked 1,")


def test_dry_run__due_messages(messente: Messente) -> None:
    due_at = timezone.now() - timedelta(minutes=5)
    message = due(next_poll_at=due_at)
    due(account="marketing")
    due(next_poll_at=timezone.now() + timedelta(hours=1))
    assert poll("--dry-run").startswith(
        f"would poll 2 messages (default 1, marketing 1); the first is due at {due_at:%Y-%m-%d %H:%M:%S}"
    )
    assert poll("--dry-run", "--account=default").startswith("would poll 1 messages (default 1)")
    assert json.loads(poll("--dry-run", "--json")) == {
        "due": {"default": 1, "marketing": 1},
        "unpollable": 0,
        "next_poll_at": due_at.isoformat(),
    }
    assert seen(message).next_poll_at == due_at
    assert messente.hosts_asked() == []


def test_dry_run__unpollable_messages(messente: Messente) -> None:
    due()
    due(queued=True)
    due(account="gone")
    output = "would poll 1 messages (default 1); 2 cannot be polled (no ID, or an unknown account); the first"
    assert poll("--dry-run").startswith(output)
    assert json.loads(poll("--dry-run", "--json"))["unpollable"] == 2
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll().startswith("asked 1, ")


def test_dry_run__nothing_due() -> None:
    assert poll("--dry-run") == "would poll 0 messages\n"
    assert json.loads(poll("--dry-run", "--json")) == {"due": {}, "unpollable": 0, "next_poll_at": None}


def test_dry_run__unknown_account() -> None:
    with pytest.raises(CommandError, match="no account 'other'") as raised:
        poll("--dry-run", "--account=other")
    assert raised.value.returncode == 2


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def poll_with_stderr(stderr: StringIO, *arguments: str, **options: Any) -> str:
    """Poll with another standard error, and return its content."""
    with mock.patch.object(sys, "stderr", stderr):
        assert poll(*arguments, **options).count("\n") == options.get("verbosity", 1)
    return stderr.getvalue()


class TestProgressBar:
    @pytest.fixture(autouse=True)
    def _three_due_messages(self, messente: Messente) -> None:
        for _ in range(3):
            due()
        messente.answer(FIRST, REPORT, "OK DELIVERED")

    def test_progress__terminal(self) -> None:
        assert "/3 " in poll_with_stderr(Terminal())

    def test_progress__limit(self) -> None:
        assert "/2 " in poll_with_stderr(Terminal(), "--limit=2")

    def test_progress__json(self) -> None:
        assert poll_with_stderr(Terminal(), "--json") == ""

    def test_progress__verbosity_0(self) -> None:
        assert poll_with_stderr(Terminal(), verbosity=0) == ""

    def test_progress__not_a_terminal(self) -> None:
        assert poll_with_stderr(StringIO()) == ""

    def test_progress__without_tqdm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert poll_with_stderr(Terminal()) == ""
