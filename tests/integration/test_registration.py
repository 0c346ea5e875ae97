"""A report and the transaction that tracks its message, on two connections, in every order of their commits.

Each test runs at each isolation level that a project may configure. At most levels a transaction does not see
rows that were committed after it began.
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
from tests.isolation import run_on_other_connection
from tests.locking import GENEROUS

pytestmark = pytest.mark.django_db(transaction=True)


class Reporter(threading.Thread):
    """Send a callback, which is handled on its own connection.

    Args:
        held: whether to wait before the commit of the report, until `finish` is called.
    """

    def __init__(self, *, held: bool = False) -> None:
        super().__init__(daemon=True)
        self._held = held
        self._about_to_commit, self._may_commit = threading.Event(), threading.Event()
        self.status = 0
        self.timed_out = False

    def run(self) -> None:
        path = callbacks.callback_url().removeprefix("https://shop.example.com")
        try:
            if self._held:
                connection.ensure_connection()
                commit: Callable[[], None] = connection.commit

                def wait_and_commit() -> None:
                    self._about_to_commit.set()
                    self.timed_out = not self._may_commit.wait(GENEROUS)
                    commit()

                with mock.patch.object(connection, "commit", wait_and_commit):
                    self.status = self._send(path)
            else:
                self.status = self._send(path)
        finally:
            connection.close()

    def _send(self, path: str) -> int:
        return Client().get(path, {"sms_unique_id": "an-id", "stat": "DELIVRD"}).status_code

    def wait_until_held(self) -> None:
        assert self._about_to_commit.wait(GENEROUS)
        assert not DeliveryReport.objects.exists()

    def finish(self) -> None:
        self._may_commit.set()
        self.join(GENEROUS)
        # The callback is handled again after an error in the commit, which would hide it.
        assert not self.timed_out
        assert self.status == 200


def record_report() -> receiving.RecordResult:
    """Record a report as a project may do, in the current transaction of this connection."""
    return receiving.record(parse_callback("sms_unique_id=an-id&stat=DELIVRD"), account="default")


def assert_orphan() -> None:
    assert DeliveryReport.objects.get().message is None


def take_snapshot() -> None:
    """Read both tables. At most isolation levels the transaction does not see later commits from then on."""
    assert not SmsMessage.objects.filter(sms_unique_id="another").exists()
    assert not DeliveryReport.objects.filter(sms_unique_id="another").exists()


@pytest.fixture(autouse=True)
def _assert_report_matched(level: str, dlr_signals: SignalLog) -> Iterator[None]:
    """Check that in every order the report is matched to its message, and its signals are sent once."""
    yield
    message = SmsMessage.objects.get()
    report = DeliveryReport.objects.get()
    assert (message.status, report.message, report.outcome) == ("delivered", message, "advanced")
    assert sorted(dlr_signals.names) == ["dlr_delivered", "dlr_received", "dlr_status_changed"]
    assert receiving.match_orphans() == 0
    assert not DeliveryReport.objects.undispatched().exists()


def test_track__after_commit_of_report() -> None:
    reporter = Reporter()
    reporter.start()
    reporter.finish()
    with transaction.atomic():
        track_sms("an-id")


def test_report__commits_while_track_is_open() -> None:
    with transaction.atomic():
        track_sms("an-id")
        reporter = Reporter()
        reporter.start()
        reporter.finish()  # the callback does not wait for a lock of the open transaction
        run_on_other_connection(assert_orphan)


def test_report__queries_before_and_commits_after_track() -> None:
    reporter = Reporter(held=True)
    with transaction.atomic():
        track_sms("an-id")
        reporter.start()
        reporter.wait_until_held()
    reporter.finish()


def test_track__between_query_and_commit_of_report() -> None:
    reporter = Reporter(held=True)
    reporter.start()
    reporter.wait_until_held()
    with transaction.atomic():
        track_sms("an-id")
    reporter.finish()


def test_report__between_commit_and_matching_of_track() -> None:
    match = receiving.match_orphans_of

    def report_and_match(message: SmsMessage) -> Any:
        reporter = Reporter()
        reporter.start()
        reporter.finish()
        return match(message)

    with (
        mock.patch("django_messente_dlr.receiving.confirmation.match_orphans_of", report_and_match),
        transaction.atomic(),
    ):
        track_sms("an-id")


def test_report__after_commit_of_track() -> None:
    with transaction.atomic():
        track_sms("an-id")
    reporter = Reporter()
    reporter.start()
    reporter.finish()


def test_match_orphans__matches_after_both_sides_died() -> None:
    with (
        mock.patch("django_messente_dlr.receiving.confirmation.match_orphans_of"),
        mock.patch("django_messente_dlr.receiving.record.match_orphan"),
        transaction.atomic(),
    ):
        track_sms("an-id")
        reporter = Reporter()
        reporter.start()
        reporter.finish()
    assert_orphan()
    assert receiving.match_orphans() == 1


def test_track__commits_after_snapshot_of_report() -> None:
    with transaction.atomic():
        take_snapshot()
        run_on_other_connection(lambda: track_sms("an-id"))
        assert record_report() is receiving.RecordResult.CREATED


def test_report__commits_after_snapshot_of_track() -> None:
    with transaction.atomic():
        take_snapshot()
        run_on_other_connection(record_report)
        track_sms("an-id")


def test_report_and_track__both_snapshots_before_commits() -> None:
    track_ready, report_ready = threading.Event(), threading.Event()

    def track() -> None:
        with transaction.atomic():
            take_snapshot()
            track_ready.set()
            assert report_ready.wait(GENEROUS)
            track_sms("an-id")

    def report() -> None:
        with transaction.atomic():
            take_snapshot()
            report_ready.set()
            assert track_ready.wait(GENEROUS)
            record_report()

    # At the level SERIALIZABLE the database aborts one of the transactions. The project must retry it.
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_on_other_connection, lambda: retry_on_contention(report, using="default"))
        retry_on_contention(track, using="default")
        future.result(GENEROUS)
