"""``poll_dlrs`` as a contract: what it prints, and its exit status."""

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
from django.utils import timezone

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


def test_all_well_is_one_line_and_exit_status_0(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    told = poll()
    assert told.startswith("asked 1, final 1, open 0, unresolved 0, failed 0")
    assert len(told.splitlines()) == 1


def test_nothing_to_do_is_well_too(messente: Messente) -> None:
    assert poll().startswith("asked 0")


def test_it_is_silent_on_request(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll(verbosity=0) == ""


def test_failed_questions_are_exit_status_1(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "rubbish")
    with pytest.raises(CommandError, match="1 questions failed; the log says why") as raised:
        poll()
    assert raised.value.returncode == 1


@pytest.mark.parametrize(("answer", "advice"), [("ERROR 101", "Compare USERNAME"), ("ERROR 103", "Add the address")])
def test_a_refused_account_is_exit_status_2_and_a_sentence_that_says_what_to_do(
    answer: str, advice: str, messente: Messente
) -> None:
    due()
    messente.answer(FIRST, REPORT, answer)
    with pytest.raises(CommandError, match=f"Account default: .*{advice}") as raised:
        poll()
    assert raised.value.returncode == 2
    assert "a-password" not in str(raised.value)


def test_an_account_that_is_not_configured_is_exit_status_2() -> None:
    with pytest.raises(CommandError, match="no account 'nobody'") as raised:
        poll("--account=nobody")
    assert raised.value.returncode == 2


def test_accounts_may_be_named(messente: Messente) -> None:
    due()
    due(account="marketing")
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--account=marketing").startswith("asked 1,")
    assert messente.body()["username"] == "news"
    assert poll("--account=marketing", "--account=default").startswith("asked 1,")


def test_json_is_for_machines(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK SENT")
    told = json.loads(poll("--json"))
    assert {**told, "asked": 1, "open": 1, "final": 0, "failed": 0, "stopped": {}} == told


def test_json_comes_also_where_something_is_wrong(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "ERROR 101")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("poll_dlrs", "--json", stdout=out)
    assert "default" in json.loads(out.getvalue())["stopped"]


def test_a_limit_and_sizes_may_be_given(messente: Messente) -> None:
    for _ in range(4):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--limit=3", "--batch-size=2", "--concurrency=2").startswith("asked 3,")


@pytest.mark.parametrize("option", ["--limit", "--batch-size", "--concurrency"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_numbers_must_be_numbers(option: str, value: str) -> None:
    with pytest.raises(CommandError, match="not a whole number of at least 1"):
        poll(f"{option}={value}")


@pytest.mark.parametrize("option", ["--rate", "--watch"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_rates_and_seconds_must_be_above_zero(option: str, value: str) -> None:
    with pytest.raises(CommandError, match="not a number above 0"):
        poll(f"{option}={value}")


def test_a_rate_may_be_given(messente: Messente) -> None:
    due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll("--rate=0.5").startswith("asked 1,")


def test_a_dry_run_tells_what_is_due_and_changes_nothing(messente: Messente) -> None:
    at = timezone.now() - timedelta(minutes=5)
    message = due(next_poll_at=at)
    due(account="marketing")
    due(next_poll_at=timezone.now() + timedelta(hours=1))
    assert poll("--dry-run").startswith(
        f"would ask about 2 messages (default 1, marketing 1); the first is due at {at:%Y-%m-%d %H:%M:%S}"
    )
    assert poll("--dry-run", "--account=default").startswith("would ask about 1 messages (default 1)")
    assert json.loads(poll("--dry-run", "--json")) == {
        "due": {"default": 1, "marketing": 1},
        "unaskable": 0,
        "next_poll_at": at.isoformat(),
    }
    assert seen(message).next_poll_at == at
    assert messente.hosts_asked() == []


def test_a_dry_run_tells_apart_what_nobody_can_be_asked_about(messente: Messente) -> None:
    due()
    due(queued=True)
    due(account="gone")
    told = (
        "would ask about 1 messages (default 1); nobody can be asked about 2 (no id, or no such account); the first"
    )
    assert poll("--dry-run").startswith(told)
    assert json.loads(poll("--dry-run", "--json"))["unaskable"] == 2
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert poll().startswith("asked 1, ")


def test_a_dry_run_with_nothing_to_do_says_so() -> None:
    assert poll("--dry-run") == "would ask about 0 messages\n"
    assert json.loads(poll("--dry-run", "--json")) == {"due": {}, "unaskable": 0, "next_poll_at": None}


def test_a_dry_run_of_an_unknown_account_is_exit_status_2() -> None:
    with pytest.raises(CommandError, match="no account 'nobody'") as raised:
        poll("--dry-run", "--account=nobody")
    assert raised.value.returncode == 2


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def shown_on(error: StringIO, *arguments: str, **options: Any) -> str:
    """Poll with another standard error, and return what was written there."""
    with mock.patch.object(sys, "stderr", error):
        assert poll(*arguments, **options).count("\n") == options.get("verbosity", 1)
    return error.getvalue()


class TestTheProgressBar:
    @pytest.fixture(autouse=True)
    def _three_are_due(self, messente: Messente) -> None:
        for _ in range(3):
            due()
        messente.answer(FIRST, REPORT, "OK DELIVERED")

    def test_a_terminal_gets_one(self) -> None:
        assert "/3 " in shown_on(Terminal())

    def test_it_counts_up_to_the_limit(self) -> None:
        assert "/2 " in shown_on(Terminal(), "--limit=2")

    def test_who_wants_none_gets_none(self) -> None:
        assert shown_on(Terminal(), "--json") == ""

    def test_who_wants_silence_gets_it(self) -> None:
        assert shown_on(Terminal(), verbosity=0) == ""

    def test_a_log_gets_none(self) -> None:
        assert shown_on(StringIO()) == ""

    def test_without_tqdm_there_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert shown_on(Terminal()) == ""
