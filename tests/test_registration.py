"""A report and the transaction that registers its message, on two connections, in every order of their commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test import Client

from django_messente_dlr import callbacks, ledger
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.plugin import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
GENEROUS = 30.0  # seconds; shorter than the 50 for which MariaDB waits for a lock


class Reporter(threading.Thread):
    """Messente's request, on a connection of its own; it may be held before it commits its report."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__(daemon=True)
        self._held = held
        self.about_to_commit, self.may_commit = threading.Event(), threading.Event()
        self.status = 0

    def run(self) -> None:
        path = callbacks.callback_url().removeprefix("https://shop.example.com")
        try:
            if self._held:
                connection.ensure_connection()
                commit: Callable[[], None] = connection.commit

                def wait_and_commit() -> None:
                    self.about_to_commit.set()
                    assert self.may_commit.wait(GENEROUS)
                    commit()

                with mock.patch.object(connection, "commit", wait_and_commit):
                    self.status = self._ask(path)
            else:
                self.status = self._ask(path)
        finally:
            self.about_to_commit.set()  # one that writes in a single statement has no commit to be held before
            connection.close()

    def _ask(self, path: str) -> int:
        return Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD"}).status_code

    def finish(self) -> None:
        self.may_commit.set()
        self.join(GENEROUS)
        assert self.status == 200


@pytest.fixture(autouse=True)
def _needs_two_writers() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, so that the one waits for the other to commit")


@pytest.fixture(autouse=True)
def _ends_alike(_needs_two_writers: None, dlr_signals: SignalLog, transactional_db: None) -> Iterator[None]:
    """Whatever the order: one report, which is its message's, told of once."""
    yield
    message = SmsMessage.objects.get()
    report = DeliveryReport.objects.get()
    assert (message.status, report.message, report.outcome) == ("delivered", message, "advanced")
    assert [dlr_signals.names.count(name) for name in ("dlr_status_changed", "dlr_delivered")] == [1, 1]
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


def test_the_report_has_looked_but_commits_after_the_registration() -> None:
    reporter = Reporter(held=True)
    with transaction.atomic():
        track_sms("an-id")
        reporter.start()
        assert reporter.about_to_commit.wait(GENEROUS)
    reporter.finish()


def test_the_registration_begins_and_commits_between_the_reports_look_and_its_commit() -> None:
    reporter = Reporter(held=True)
    reporter.start()
    assert reporter.about_to_commit.wait(GENEROUS)
    with transaction.atomic():
        track_sms("an-id")
    reporter.finish()


def test_the_report_commits_between_the_registrations_commit_and_its_look() -> None:
    match = ledger.match

    def report_and_match(message: SmsMessage) -> Any:
        reporter = Reporter()
        reporter.start()
        reporter.finish()
        return match(message)

    with mock.patch("django_messente_dlr.ledger.recording.match", report_and_match), transaction.atomic():
        track_sms("an-id")


def test_the_report_comes_after_the_registration() -> None:
    with transaction.atomic():
        track_sms("an-id")
    reporter = Reporter()
    reporter.start()
    reporter.finish()


def test_the_sweep_closes_what_neither_side_lived_to_see() -> None:
    with (
        mock.patch("django_messente_dlr.ledger.recording.match"),
        mock.patch("django_messente_dlr.ledger.recording.adopt"),
        transaction.atomic(),
    ):
        track_sms("an-id")
        reporter = Reporter()
        reporter.start()
        reporter.finish()
    assert DeliveryReport.objects.get().message is None
    assert ledger.match_orphans() == 1
