"""A report and the transaction that registers its message, on two connections, in every order of their commits.

At each isolation level that a project may have set: at most of them a transaction does not see what others have
committed since it began.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test import Client

from django_messente_dlr import callbacks, receiving
from django_messente_dlr.messente.parsers import parse_callback
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.signals import SignalLog
from django_messente_dlr.utils.db_retry import retry_on_contention
from tests.isolation import LEVELS, elsewhere, isolated
from tests.locking import GENEROUS

pytestmark = pytest.mark.django_db(transaction=True)


class Reporter(threading.Thread):
    """Messente's request, on a connection of its own; it may be held before it commits its report."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__(daemon=True)
        self._held = held
        self._about_to_commit, self._may_commit = threading.Event(), threading.Event()
        self.status = 0

    def run(self) -> None:
        path = callbacks.callback_url().removeprefix("https://shop.example.com")
        try:
            if self._held:
                connection.ensure_connection()
                commit: Callable[[], None] = connection.commit

                def wait_and_commit() -> None:
                    self._about_to_commit.set()
                    assert self._may_commit.wait(GENEROUS)
                    commit()

                with mock.patch.object(connection, "commit", wait_and_commit):
                    self.status = self._ask(path)
            else:
                self.status = self._ask(path)
        finally:
            connection.close()

    def _ask(self, path: str) -> int:
        return Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD"}).status_code

    def wait_until_held(self) -> None:
        assert self._about_to_commit.wait(GENEROUS)
        assert not DeliveryReport.objects.exists()

    def finish(self) -> None:
        self._may_commit.set()
        self.join(GENEROUS)
        assert self.status == 200


def record_here(stat: str = "DELIVRD") -> receiving.RecordResult:
    """Have a report written by a project of its own accord, in whatever transaction is open."""
    return receiving.record(parse_callback(f"sms_unique_id=an-id&stat={stat}"), account="default")


def assert_orphan() -> None:
    assert DeliveryReport.objects.get().message is None


def look() -> None:
    """Read something: from now on a transaction of most levels sees the database as it is now."""
    assert not SmsMessage.objects.filter(sms_unique_id="another").exists()
    assert not DeliveryReport.objects.filter(sms_unique_id="another").exists()


@pytest.fixture(autouse=True)
def _needs_two_writers() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, so that the one waits for the other to commit")


@pytest.fixture(autouse=True, params=LEVELS[connection.vendor])
def level(request: pytest.FixtureRequest, _needs_two_writers: None, transactional_db: None) -> Iterator[str]:
    """Have every connection at an isolation level."""
    with isolated(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _ends_alike(level: str, dlr_signals: SignalLog) -> Iterator[None]:
    """Whatever the order: one report, which is its message's, told of once."""
    yield
    message = SmsMessage.objects.get()
    report = DeliveryReport.objects.get()
    assert (message.status, report.message, report.outcome) == ("delivered", message, "advanced")
    assert sorted(dlr_signals.names) == ["dlr_delivered", "dlr_received", "dlr_status_changed"]
    assert receiving.match_orphans() == 0
    assert not DeliveryReport.objects.undispatched().exists()


def test_the_report_commits_before_the_registration_begins() -> None:
    reporter = Reporter()
    reporter.start()
    reporter.finish()
    with transaction.atomic():
        track_sms("an-id")


def test_the_report_commits_while_the_registration_is_open() -> None:
    with transaction.atomic():
        track_sms("an-id")
        reporter = Reporter()
        reporter.start()
        reporter.finish()  # it is answered at once, and waits for no lock of the registration's
        elsewhere(assert_orphan)


def test_the_report_has_looked_but_commits_after_the_registration() -> None:
    reporter = Reporter(held=True)
    with transaction.atomic():
        track_sms("an-id")
        reporter.start()
        reporter.wait_until_held()
    reporter.finish()


def test_the_registration_begins_and_commits_between_the_reports_look_and_its_commit() -> None:
    reporter = Reporter(held=True)
    reporter.start()
    reporter.wait_until_held()
    with transaction.atomic():
        track_sms("an-id")
    reporter.finish()


def test_the_report_commits_between_the_registrations_commit_and_its_look() -> None:
    match = receiving.match_orphans_of

    def report_and_match(message: SmsMessage) -> Any:
        reporter = Reporter()
        reporter.start()
        reporter.finish()
        return match(message)

    with mock.patch("django_messente_dlr.receiving.record.match_orphans_of", report_and_match), transaction.atomic():
        track_sms("an-id")


def test_the_report_comes_after_the_registration() -> None:
    with transaction.atomic():
        track_sms("an-id")
    reporter = Reporter()
    reporter.start()
    reporter.finish()


def test_the_sweep_closes_what_neither_side_lived_to_see() -> None:
    with (
        mock.patch("django_messente_dlr.receiving.record.match_orphans_of"),
        mock.patch("django_messente_dlr.receiving.record.match_orphan"),
        transaction.atomic(),
    ):
        track_sms("an-id")
        reporter = Reporter()
        reporter.start()
        reporter.finish()
    assert_orphan()
    assert receiving.match_orphans() == 1


def test_the_registration_commits_after_the_reports_transaction_has_looked() -> None:
    with transaction.atomic():
        look()
        elsewhere(lambda: track_sms("an-id"))
        assert record_here() is receiving.RecordResult.CREATED


def test_the_report_commits_after_the_registrations_transaction_has_looked() -> None:
    with transaction.atomic():
        look()
        elsewhere(record_here)
        track_sms("an-id")


def test_both_are_in_transactions_that_have_looked_before_the_other_commits() -> None:
    here, there = threading.Event(), threading.Event()

    def register() -> None:
        with transaction.atomic():
            look()
            here.set()
            assert there.wait(GENEROUS)
            track_sms("an-id")

    def report() -> None:
        with transaction.atomic():
            look()
            there.set()
            assert here.wait(GENEROUS)
            record_here()

    # Where transactions are serializable one of them is told to come again; that is for the project to do.
    with ThreadPoolExecutor(1) as pool:
        reported = pool.submit(elsewhere, lambda: retry_on_contention(report, using="default"))
        retry_on_contention(register, using="default")
        reported.result(GENEROUS)
