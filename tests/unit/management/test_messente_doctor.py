"""``manage.py messente_doctor``: looks at everything that lets reports come, and says what to do."""

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

from django_messente_dlr import callbacks, dispatch
from django_messente_dlr.callbacks import key_fingerprints
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "long-enough-and-nobody's-default"
WELL = {"last_poll_at": timezone.now, "last_callback_at": timezone.now}


@pytest.fixture(autouse=True)
def messente(settings: Any, live_server: Any) -> Any:
    """A project in which nothing is wrong; that its servers are this machine's is no fault here."""
    settings.SECRET_KEY = "k3y-" * 15
    settings.SILENCED_SYSTEM_CHECKS = [f"django_messente_dlr.W{number}" for number in ("003", "005", "010")]
    with Sandbox({"shop": PASSWORD}) as sandbox:
        settings.MESSENTE_DLR = {
            "USERNAME": "shop",
            "PASSWORD": PASSWORD,
            "CALLBACK_BASE_URL": live_server.url,
            "API_HOSTS": [sandbox.url],
        }
        AccountFactory.create(**{name: now() for name, now in WELL.items()})
        yield sandbox


def examine(*arguments: str) -> tuple[int, str]:
    """Return the exit status and what was printed."""
    out = StringIO()
    try:
        call_command("messente_doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def lines(printed: str, level: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(level)]


def test_all_is_well_and_each_thing_says_so() -> None:
    status, printed = examine()
    assert status == 0, printed
    assert not lines(printed, "warning") + lines(printed, "error")
    for told in (
        "settings: The system checks have nothing to say",
        "account default: Messente takes its credentials; its credit is 707.54 EUR.",
        f"callback URL: For Messente's dashboard, account default: {callbacks.callback_url()}",
        "callback URL: It is answered by this project",
        "callback URL: It takes a POST that account default has signed.",
        "clock: It is ",
        "database: It is ",
        "messages: 0 messages are pending, and none is overdue.",
        "reports: Every report has its message",
        "account default: It was polled at",
        "account default: Messente called at",
        "keys: Key 1, which signs callback URLs, was used never",
    ):
        assert f"ok       {told}" in printed
    assert not DeliveryReport.objects.exists()
    assert PASSWORD not in printed


def test_json_tells_the_same_to_programs_but_no_secret() -> None:
    SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(hours=1))
    status, printed = examine("--json")
    told = json.loads(printed)
    assert (status, told["status"]) == (1, "warning")
    assert {"level", "topic", "message", "hint"} == set(told["findings"][0])
    assert callbacks.callback_url() not in printed
    assert [finding["topic"] for finding in told["findings"] if finding["level"] == "warning"] == ["messages"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PASSWORD": "wrong-" * 5}, "Messente refused the user name or the password."),
        ({"API_HOSTS": ["http://127.0.0.1:9"]}, "could not be reached"),
        ({"CALLBACK_BASE_URL": "http://127.0.0.1:9"}, "It could not be reached from here"),
        ({"ACCOUNTS": []}, "(django_messente_dlr.E001)"),
        ({"USERNAME": ""}, "(django_messente_dlr.E005)"),
    ],
)
def test_what_would_lose_messages_or_reports_is_an_error(
    settings: Any, change: dict[str, Any], sentence: str
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **change}
    status, printed = examine()
    assert status == 2
    assert any(sentence in line for line in lines(printed, "error")), printed
    assert "→ " in printed


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 301, "headers": {"Location": "/x"}}, "answered with a redirect (HTTP 301)"),
        (
            {"status": 302, "headers": {"Location": "/x"}},
            "for «received» where it calls by POST, and is not known to",
        ),
        ({"status": 404}, "answered with HTTP 404"),
        ({"body": "<html>"}, "Somebody answers there, but not this project"),
        ({"json": {"proof": "guessed"}}, "Somebody answers there, but not this project"),
        ({"json": []}, "Somebody answers there, but not this project"),
    ],
)
def test_a_callback_url_that_leads_elsewhere_is_an_error(
    settings: Any, answer: dict[str, Any], sentence: str
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": "http://shop.example.com"}
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    with responses.RequestsMock() as mocked:
        mocked.add_passthru("http://127.0.0.1")
        mocked.get(url=re.compile("http://shop.example.com/messente/dlr/p.*"), **answer)
        status, printed = examine()
    assert status == 2
    assert any(sentence in line for line in lines(printed, "error")), printed


def test_a_signed_post_that_does_not_get_through_is_an_error(settings: Any) -> None:
    from django_messente_dlr.webhook import verification

    with mock.patch.object(verification, "read_body", return_value=b"what a proxy has made of it"):
        status, printed = examine()
    assert status == 2
    assert any(
        "By a POST that account default has signed: It is answered with HTTP 403." in line
        for line in lines(printed, "error")
    )


def test_clocks_that_differ_and_proxies_that_are_miscounted_are_warnings(settings: Any) -> None:
    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "CALLBACK_ALLOWED_IPS": ["127.0.0.0/8"],
        "TRUSTED_PROXY_COUNT": 1,
    }
    then = timezone.now() - timedelta(minutes=5)

    def answer(method: str, **arguments: Any) -> dict[str, Any]:
        return {"proof": "", "now": then.isoformat(), "forwarded": 0, "address": ""}

    with mock.patch("django_messente_dlr.doctor.checks.callbacks._probe", answer):
        status, printed = examine()
    assert status == 1
    assert any("X-Forwarded-For had 0 entries" in line for line in lines(printed, "warning"))
    assert any(line.startswith("warning  clock: ") for line in lines(printed, "warning"))


def overdue() -> None:
    SmsMessageFactory.create(next_poll_at=timezone.now() - timedelta(hours=1))


def unconfigured() -> None:
    SmsMessageFactory.create(account="former")


def orphan() -> None:
    DeliveryReportFactory.create(message=None)


def undispatched() -> None:
    with mock.patch.object(dispatch, "dispatch_report"):
        simulate_callback(SmsMessageFactory.create())
    DeliveryReport.objects.update(dispatch_due_at=timezone.now() - timedelta(minutes=1))


def receiver_failed() -> None:
    DeliveryReportFactory.create(dispatch_error="shop.receivers.on_failure: KeyError: 'order'")


def unpolled() -> None:
    Account.objects.update(last_poll_at=timezone.now() - timedelta(days=1))


def never_polled() -> None:
    Account.objects.all().delete()


def silence() -> None:
    Account.objects.update(last_callback_at=None)
    SmsMessageFactory.create(created_at=timezone.now() - timedelta(hours=2), next_poll_at=None)


def held() -> None:
    Account.objects.update(credits_exhausted_at=timezone.now())


def poll_failed() -> None:
    Account.objects.update(last_poll_error="Messente answered «ERROR 103».")


@pytest.mark.parametrize(
    ("arrange", "status", "sentence"),
    [
        (overdue, 1, "1 messages are pending, and 1 of them should have been asked about long ago."),
        (unconfigured, 1, "1 messages are pending of accounts that are not configured, such as former."),
        (orphan, 1, "1 reports are about messages that are not known here."),
        (undispatched, 1, "1 reports have signals that a process has left unsent."),
        (receiver_failed, 1, "1 reports have a receiver that raised."),
        (unpolled, 1, "It was not polled since"),
        (never_polled, 1, "It was not polled at all."),
        (silence, 1, "Messente did not call about them."),
        (held, 2, "It is on hold since"),
        (poll_failed, 2, "Its last poll failed: Messente answered «ERROR 103»."),
    ],
)
def test_what_waits_for_a_person_is_told(arrange: Callable[[], None], status: int, sentence: str) -> None:
    arrange()
    ended, printed = examine()
    assert ended == status, printed
    assert any(sentence in line for line in lines(printed, "warning") + lines(printed, "error")), printed


def test_an_account_without_credit_is_an_error(messente: Sandbox) -> None:
    messente.balance = Decimal(0)
    status, printed = examine()
    assert status == 2
    assert "Its credit is 0.00 EUR." in printed


def test_a_database_that_is_away_or_behind_is_an_error() -> None:
    with mock.patch.object(MigrationExecutor, "migration_plan", side_effect=OperationalError("host and password")):
        status, printed = examine()
    assert (status, "It cannot be used (OperationalError)." in printed, "host and" in printed) == (2, True, False)
    with mock.patch.object(
        MigrationExecutor, "migration_plan", return_value=[(Migration("0002_later", "django_messente_dlr"), False)]
    ):
        status, printed = examine()
    assert status == 2
    assert "→ Run: python manage.py migrate django_messente_dlr" in printed


def test_the_last_use_of_each_key_is_told_without_the_key(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_KEYS": ["new-" * 10, "old-" * 10]}
    fingerprint = key_fingerprints.fingerprint("old-" * 10)
    Account.objects.update(key_uses={fingerprint: "2026-01-02T03:04:05+00:00"})
    printed = examine()[1]
    assert (
        f"Key 2, which still verifies callback URLs, was used last at 2026-01-02T03:04:05+00:00 ({fingerprint})."
        in printed
    )
    assert "Key 1, which signs callback URLs, was used never" in printed
    assert "old-old" not in printed


def test_an_sms_is_sent_only_where_a_person_asks_for_it(messente: Sandbox) -> None:
    assert not messente.messages
    status, printed = examine("--send", "+37255500143")
    assert status == 0, printed
    assert messente.messages[0].recipient == "+37255500143"
    assert f"calls it {SmsMessage.objects.get().sms_unique_id}" in printed
    status, printed = examine("--send", "nobody")
    assert status == 2
    assert "is not a phone number" in printed
    status, printed = examine("--send", "+37255500143", "--account", "later", "--json")
    assert status == 2
    assert "no account «later»" in json.loads(printed)["findings"][-1]["message"]
    assert len(messente.messages) == 1


def test_an_sms_whose_row_cannot_be_written_is_not_sent_and_that_is_told(messente: Sandbox) -> None:
    with mock.patch("django_messente_dlr.sending.rows.insert", side_effect=OperationalError("host and password")):
        status, printed = examine("--send", "+37255500143")
    assert status == 2
    assert "Its row could not be written (OperationalError)." in printed
    assert "host and" not in printed
    assert not messente.messages
