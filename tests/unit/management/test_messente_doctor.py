"""``manage.py messente_doctor``: its findings, its exit status, and the secrets that it withholds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest import mock

import pytest
import responses
from django.core.management import call_command
from django.db import OperationalError
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from django_messente_dlr import accounts, callbacks
from django_messente_dlr.callbacks import key_fingerprints, tokens
from django_messente_dlr.callbacks.tokens import ProbeToken
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "the-password-of-the-shop"


@pytest.fixture(autouse=True)
def messente(settings: Any, live_server: Any) -> Any:
    """Set up a project without problems. Checks that reject local servers over http are silenced."""
    settings.SECRET_KEY = "k3y-" * 15
    settings.SILENCED_SYSTEM_CHECKS = [f"django_messente_dlr.W{number}" for number in ("003", "005", "010")]
    with Sandbox({"shop": PASSWORD}) as sandbox:
        settings.MESSENTE_DLR = {
            "USERNAME": "shop",
            "PASSWORD": PASSWORD,
            "CALLBACK_BASE_URL": live_server.url,
            "API_HOSTS": [sandbox.url],
            "OMNICHANNEL_URL": f"{sandbox.url}/v1",
        }
        AccountFactory.create(last_poll_at=timezone.now(), last_callback_at=timezone.now())
        yield sandbox


def run_doctor(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status and its output."""
    out = StringIO()
    try:
        call_command("messente_doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as exc:
        return int(str(exc.code)), out.getvalue()
    return 0, out.getvalue()


def lines(output: str, level: str) -> list[str]:
    """Return the lines of a level: ok, warning or error."""
    return [line for line in output.splitlines() if line.startswith(level)]


def test_messente_doctor__no_problem() -> None:
    status, output = run_doctor()
    assert status == 0, output
    assert not lines(output, "warning") + lines(output, "error")
    for text in (
        "settings: The system checks report no problem",
        "account default: Messente accepts the credentials. The credit is 707.54 EUR.",
        f"callback URL: For Messente's dashboard, account default: {callbacks.callback_url()}",
        "callback URL: This project answers at http://",
        "callback URL: The callback view accepts a POST signed by account default.",
        "clock: The server's clock agrees with this machine's: ",
        "database: ",
        "messages: 0 messages are pending, and none is overdue.",
        "reports: Every report has its message",
        "account default: The last poll was at",
        "account default: The last callback arrived at",
        "keys: Key 1 signs callback URLs. Last use: never",
    ):
        assert f"ok       {text}" in output
    assert not DeliveryReport.objects.exists()
    assert PASSWORD not in output


def test_messente_doctor__json_without_secrets() -> None:
    SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(hours=1))
    status, output = run_doctor("--json")
    document = json.loads(output)
    assert (status, document["status"]) == (1, "warning")
    assert {"level", "topic", "id", "message", "hint"} == set(document["findings"][0])
    assert callbacks.callback_url() not in output
    assert PASSWORD not in output
    warnings = [finding for finding in document["findings"] if finding["level"] == "warning"]
    assert [finding["topic"] for finding in warnings] == ["messages"]
    assert warnings[0]["id"] == "django_messente_dlr.doctor.D041"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PASSWORD": "wrong-" * 5}, "Messente refused the user name or the password."),
        ({"API_HOSTS": ["http://127.0.0.1:9"]}, "could not be reached"),
        ({"CALLBACK_BASE_URL": "http://127.0.0.1:9"}, "This machine cannot reach the URL"),
        ({"ACCOUNTS": []}, "(django_messente_dlr.E001)"),
        ({"USERNAME": ""}, "(django_messente_dlr.E005)"),
    ],
)
def test_messente_doctor__error_hint(settings: Any, change: dict[str, Any], sentence: str) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **change}
    status, output = run_doctor()
    assert status == 2
    assert any(sentence in line for line in lines(output, "error")), output
    assert "→ " in output


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 301, "headers": {"Location": "/x"}}, "The answer is a redirect (HTTP 301)"),
        (
            {"status": 302, "headers": {"Location": "/x"}},
            "Messente takes a redirect of a POST for success, and is not known to",
        ),
        ({"status": 404}, "The answer is HTTP 404."),
        ({"body": "<html>"}, "A server answers at the URL, but it is not this project"),
        ({"json": {"proof": "guessed"}}, "A server answers at the URL, but it is not this project"),
        ({"json": []}, "A server answers at the URL, but it is not this project"),
    ],
)
def test_messente_doctor__wrong_callback_url(settings: Any, answer: dict[str, Any], sentence: str) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": "http://shop.example.com"}
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    with responses.RequestsMock() as mocked:
        mocked.add_passthru("http://127.0.0.1")
        mocked.get(url=re.compile("http://shop.example.com/messente/dlr/p.*"), **answer)
        status, output = run_doctor()
    assert status == 2
    assert any(sentence in line for line in lines(output, "error")), output


@pytest.mark.parametrize(("debug", "hosts", "warned"), [(True, [], False), (False, ["shop.example.com"], True)])
def test_messente_doctor__host_warning_agrees_with_probe(
    settings: Any, debug: bool, hosts: list[str], warned: bool
) -> None:
    # With DEBUG, Django accepts the names of this machine although ALLOWED_HOSTS is empty.
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, hosts
    output = run_doctor()[1]
    assert ("W006" in output) is warned
    assert ("This project answers at " in output) is not warned
    assert ("The answer is HTTP 400." in output) is warned


def test_messente_doctor__rejected_signed_post(settings: Any) -> None:
    from django_messente_dlr.webhook import verification

    with mock.patch.object(verification, "read_body", return_value=b"changed by a proxy"):
        status, output = run_doctor()
    assert status == 2
    assert any(
        "A POST signed by account default fails: The answer is HTTP 403." in line for line in lines(output, "error")
    )


def test_messente_doctor__clocks_and_proxy_count(settings: Any) -> None:
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "CALLBACK_BASE_URL": "http://shop.example.com",
        "CALLBACK_ALLOWED_IPS": ["127.0.0.0/8"],
        "TRUSTED_PROXY_COUNT": 1,
    }
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    server_time = timezone.now() - timedelta(minutes=5)

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        """Answer as a callback view behind no proxy, whose clock is five minutes late."""
        probe = tokens.read_token(request.url.split("/")[-2])
        assert isinstance(probe, ProbeToken)
        body = {"proof": tokens.sign_probe(probe), "now": server_time.isoformat(), "forwarded": 0, "address": ""}
        return 200, {}, json.dumps(body)

    with responses.RequestsMock() as mocked:
        mocked.add_passthru("http://127.0.0.1")
        for method in (responses.GET, responses.POST):
            mocked.add_callback(method, re.compile("http://shop.example.com/messente/dlr/p.*"), answer)
        status, output = run_doctor()
    assert status == 1, output
    assert any("X-Forwarded-For has 0 entries" in line for line in lines(output, "warning"))
    assert any(line.startswith("warning  clock: ") for line in lines(output, "warning"))


def add_overdue_message() -> None:
    SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(hours=1))


def add_unconfigured_account() -> None:
    SmsMessageFactory.create(account="former")


def add_orphan() -> None:
    DeliveryReportFactory.create(message=None)


def add_undispatched_report() -> None:
    DeliveryReportFactory.create(dispatch_due_at=timezone.now() - timedelta(minutes=1), dispatched_at=None)


def add_failed_dispatch() -> None:
    DeliveryReportFactory.create(dispatch_error="shop.receivers.on_failure: KeyError: 'order'")


def make_last_poll_old() -> None:
    Account.objects.update(last_poll_at=timezone.now() - timedelta(days=1))


def delete_accounts() -> None:
    Account.objects.all().delete()


def remove_last_callback() -> None:
    Account.objects.update(last_callback_at=None)
    SmsMessageFactory.create(created_at=timezone.now() - timedelta(hours=2), next_poll_at=None)


def start_credit_hold() -> None:
    Account.objects.update(credits_exhausted_at=timezone.now())


def record_failed_poll() -> None:
    Account.objects.update(last_poll_error="Messente answered ERROR 103.")


@pytest.mark.parametrize(
    ("arrange", "status", "sentence"),
    [
        (add_overdue_message, 1, "1 messages are pending, and 1 of them are overdue."),
        (
            add_unconfigured_account,
            1,
            "1 messages are pending whose accounts are not configured, such as former.",
        ),
        (add_orphan, 1, "1 reports are about unknown messages."),
        (add_undispatched_report, 1, "1 reports have signals that a process did not send."),
        (add_failed_dispatch, 1, "1 reports have a receiver that raised an exception."),
        (make_last_poll_old, 1, "The account was not polled since"),
        (delete_accounts, 1, "The account was never polled."),
        (remove_last_callback, 1, "Messages were sent within the last day, but no callback arrived."),
        (start_credit_hold, 2, "The account is on credit hold since"),
        (record_failed_poll, 2, "The last poll failed: Messente answered ERROR 103."),
    ],
)
def test_messente_doctor__rows_that_need_attention(arrange: Callable[[], None], status: int, sentence: str) -> None:
    arrange()
    exit_status, output = run_doctor()
    assert exit_status == status, output
    assert any(sentence in line for line in lines(output, "warning") + lines(output, "error")), output


def test_messente_doctor__prepared_message_expects_no_callback() -> None:
    remove_last_callback()
    SmsMessage.objects.update(status="queued", rank=0, sms_unique_id=None, sent_at=None, send_at=None)
    exit_status, output = run_doctor()
    assert exit_status == 0, output
    assert "No callback is expected." in output


def test_messente_doctor__renamed_account() -> None:
    add_unconfigured_account()
    _, output = run_doctor()
    assert "a report by POST is answered 403. Add the account to MESSENTE_DLR again, under this name" in output


def test_messente_doctor__no_credit(messente: Sandbox) -> None:
    messente.balance = Decimal(0)
    status, output = run_doctor()
    assert status == 2
    assert "The credit is 0.00 EUR." in output


def test_messente_doctor__credit_below_floor(messente: Sandbox, settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CREDIT_FLOOR": 5}
    messente.balance = Decimal("4.5")
    status, output = run_doctor()
    assert status == 2
    assert "The credit is 4.50 EUR, and CREDIT_FLOOR is 5 EUR." in output


def test_messente_doctor__third_hold_within_an_hour() -> None:
    now = timezone.now()
    for minutes in (-20, -10, 0):
        at = now + timedelta(minutes=minutes)
        assert accounts.start_hold("default", sent_at=at, now=at)
        accounts.record_balance("default", Decimal(500), now=at)
    status, output = run_doctor()
    assert status == 2
    assert "the third hold within an hour without a higher balance, so no balance check ends it before" in output


def test_messente_doctor__unusable_database() -> None:
    with mock.patch.object(MigrationExecutor, "migration_plan", side_effect=OperationalError("host and password")):
        status, output = run_doctor()
    assert status == 2
    assert "The database cannot be used (OperationalError)." in output
    assert "host and" not in output
    with mock.patch.object(
        MigrationExecutor, "migration_plan", return_value=[(Migration("0002_later", "django_messente_dlr"), False)]
    ):
        status, output = run_doctor()
    assert status == 2
    assert "→ Run: python manage.py migrate django_messente_dlr" in output


def test_messente_doctor__last_use_of_keys(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new-" * 10, "old-" * 10]}
    fingerprint = key_fingerprints.fingerprint("old-" * 10)
    Account.objects.update(key_uses={fingerprint: "2026-01-02T03:04:05+00:00"})
    output = run_doctor()[1]
    assert f"Key 2 still verifies callback URLs. Last use: 2026-01-02T03:04:05+00:00 ({fingerprint})." in output
    assert "Key 1 signs callback URLs. Last use: never" in output
    assert "old-old" not in output


def test_messente_doctor__send(messente: Sandbox) -> None:
    assert not messente.messages
    status, output = run_doctor("--send", "+37255500143")
    assert status == 0, output
    assert messente.messages[0].recipient == "+37255500143"
    assert f"with the ID {SmsMessage.objects.get().sms_unique_id}" in output
    status, output = run_doctor("--send", "shop")
    assert status == 2
    assert "is not a phone number" in output
    status, output = run_doctor("--send", "+37255500143", "--account", "later", "--json")
    assert status == 2
    assert "no account 'later'" in json.loads(output)["findings"][-1]["message"]
    assert len(messente.messages) == 1


def test_messente_doctor__send_without_database(messente: Sandbox) -> None:
    with mock.patch("django_messente_dlr.sending.rows.insert", side_effect=OperationalError("host and password")):
        status, output = run_doctor("--send", "+37255500143")
    assert status == 2
    assert "The message's row could not be stored (OperationalError)." in output
    assert "host and" not in output
    assert not messente.messages


@pytest.mark.parametrize(("minutes", "is_late"), [(1, False), (3, True)])
def test_messente_doctor__deferred_signals(settings: Any, minutes: int, is_late: bool) -> None:
    """Deferred signals are due at once, so the doctor reports them only after the lease."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DISPATCH": "deferred"}
    due_at = timezone.now() - timedelta(minutes=minutes)
    DeliveryReportFactory.create(dispatch_due_at=due_at, dispatched_at=None)
    _, output = run_doctor()
    assert ("have signals that a process did not send" in output) is is_late
