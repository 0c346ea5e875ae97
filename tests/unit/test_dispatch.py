"""From a commit to signals: after it, at least once, and whatever a receiver does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, transaction
from django.dispatch import Signal
from django.test import TestCase
from django.utils import timezone

from django_messente_dlr import accounts, dispatch, receiving, signals
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERED = ["dlr_received", "dlr_status_changed", "dlr_delivered"]


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create()


class Mute(Exception):
    """An error that cannot even be read."""

    def __str__(self) -> str:
        raise AttributeError


class Bell:
    """A receiver that is an object."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, **kwargs: Any) -> None:
        raise self.error

    def ring(self, **kwargs: Any) -> None:
        raise self.error


def ring(error: Exception, **kwargs: Any) -> None:
    raise error


def undo_a_report(message: SmsMessage) -> None:
    """Record a report inside a transaction that is rolled back."""
    with transaction.atomic():
        receiving.record(Report(source=Source.CALLBACK, stat="DELIVRD"), account="default", message_pk=message.pk)
        raise ZeroDivisionError


def stranded(message: SmsMessage) -> DeliveryReport:
    """A report as a process leaves it that dies between the commit and its signals."""
    with mock.patch.object(dispatch, "dispatch_report"):
        simulate_callback(message)
    return DeliveryReport.objects.get()


def late(report: DeliveryReport) -> Any:
    """The time at which somebody else may send a report's signals."""
    assert report.dispatch_due_at is not None
    return report.dispatch_due_at + timedelta(seconds=1)


class TestAfterTheCommit:
    def test_receivers_run_outside_any_transaction_and_see_what_is_committed(self, message: SmsMessage) -> None:
        seen: list[tuple[str, bool]] = []

        def receiver(message: SmsMessage, **kwargs: Any) -> None:
            connection = transaction.get_connection()
            seen.append((SmsMessage.objects.get(pk=message.pk).status, connection.in_atomic_block))

        signals.dlr_delivered.connect(receiver)
        simulate_callback(message)
        assert seen == [("delivered", False)]

    def test_nothing_is_told_of_what_was_rolled_back(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        with pytest.raises(ZeroDivisionError):
            undo_a_report(message)
        assert dlr_signals == []
        assert not DeliveryReport.objects.exists()

    def test_a_surrounding_transaction_is_waited_for(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        with transaction.atomic():
            receiving.record(Report(source=Source.CALLBACK, stat="DELIVRD"), account="default", message_pk=message.pk)
            before = list(dlr_signals)
        assert before == []
        assert dlr_signals.names == DELIVERED

    @pytest.mark.parametrize("around", [nullcontext, transaction.atomic])
    def test_signals_that_cannot_be_sent_are_no_matter_to_messente_and_are_sent_by_the_sweep(
        self, message: SmsMessage, around: Callable[[], Any], dlr_signals: SignalLog
    ) -> None:
        with mock.patch.object(dispatch, "dispatch_report", side_effect=OperationalError("gone")), around():
            assert simulate_callback(message).status_code == 200
        assert dlr_signals == []
        assert dispatch.dispatch_overdue(late(DeliveryReport.objects.get())) == 1
        assert dlr_signals.names == DELIVERED

    def test_what_was_sent_is_noted_on_the_report(self, message: SmsMessage) -> None:
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert report.signals == DELIVERED
        assert report.dispatched_at is not None
        assert report.dispatch_due_at is None
        assert report.dispatch_error == ""


class TestReceiversThatRaise:
    @pytest.fixture
    def _unlogged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """pytest keeps the log, and xdist cannot hand half a character from process to process."""
        monkeypatch.setattr(logging.getLogger("django_messente_dlr.signals"), "disabled", True)

    @pytest.fixture
    def failing(self) -> Any:
        def receiver(**kwargs: Any) -> None:
            raise ValueError("no such order")

        signals.dlr_delivered.connect(receiver)
        return receiver

    def test_the_answer_is_200_the_others_are_called_and_the_error_is_kept(
        self, message: SmsMessage, failing: Any, dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            assert simulate_callback(message).status_code == 200
        message.refresh_from_db()
        assert message.status == "delivered"
        assert dlr_signals.names == DELIVERED
        report = DeliveryReport.objects.get()
        assert report.dispatch_error.endswith("receiver: ValueError: no such order")
        assert __name__ in report.dispatch_error
        assert list(DeliveryReport.objects.dispatch_failed()) == [report]
        assert any(record.exc_info for record in caplog.records)

    def test_its_signals_can_be_sent_again_and_then_all_is_well(
        self, message: SmsMessage, failing: Any, dlr_signals: SignalLog
    ) -> None:
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert dispatch.dispatch_report(report.pk) is False
        signals.dlr_delivered.disconnect(failing)
        assert dispatch.dispatch_report(report.pk) is True
        report.refresh_from_db()
        assert report.dispatch_error == ""
        assert dlr_signals.names == DELIVERED * 3

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (RuntimeError("out of order"), "RuntimeError: out of order"),
            (
                RuntimeError("a NUL \0 and half a \ud800 character"),
                "RuntimeError: a NUL \ufffd and half a ? character",
            ),
            (RuntimeError("x" * 5000), f"RuntimeError: {'x' * 1000}"),
            (Mute(), "Mute: the error has no readable message"),
        ],
    )
    @pytest.mark.parametrize("kind", ["object", "partial", "method", "function"])
    @pytest.mark.usefixtures("_unlogged")
    def test_whatever_it_is_and_says_it_is_named_and_the_others_are_called(
        self,
        message: SmsMessage,
        kind: str,
        error: Exception,
        told: str,
        dlr_signals: SignalLog,
        *,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        bell = Bell(error)
        # What half a character stands in cannot be told from one process of the tests to another.
        caplog.set_level(logging.CRITICAL, logger=signals.logger.name)
        receivers: dict[str, tuple[Callable[..., None], str]] = {
            "object": (bell, "Bell"),
            "partial": (partial(ring, error), "ring"),
            "method": (bell.ring, "Bell.ring"),
            "function": (lambda **kwargs: ring(error), "<lambda>"),
        }
        receiver, name = receivers[kind]
        signals.dlr_received.connect(receiver)
        assert simulate_callback(message).status_code == 200
        report = DeliveryReport.objects.get()
        assert report.dispatch_error.endswith(f"{name}: {told}")
        assert report.dispatch_error.startswith(f"{__name__}.")
        assert report.dispatched_at is not None
        assert dlr_signals.names == DELIVERED


class TestTheSweep:
    def test_it_sends_what_a_dead_process_has_left_unsent(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        report = stranded(message)
        assert list(DeliveryReport.objects.undispatched()) == [report]
        assert dispatch.dispatch_overdue() == 0  # it may be under way still
        assert dispatch.dispatch_overdue(late(report)) == 1
        assert dlr_signals.names == DELIVERED
        assert dlr_signals.arguments("dlr_status_changed")["previous"] == "sent"
        assert dispatch.dispatch_overdue(late(report) + timedelta(days=1)) == 0

    def test_one_reports_trouble_does_not_keep_the_others_back(
        self, dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        past = timezone.now() - timedelta(minutes=1)
        DeliveryReportFactory.create(dispatch_due_at=past - timedelta(minutes=1), signals=["no_such_signal"])
        DeliveryReportFactory.create(dispatch_due_at=past)
        assert dispatch.dispatch_overdue() == 1
        assert dlr_signals.names == ["dlr_received"]
        assert "could not be sent" in caplog.text

    def test_a_claimed_report_is_left_to_who_claimed_it(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        report = stranded(message)
        now = late(report)
        claimed = DeliveryReport.objects.claim_dispatch(10, now=now, lease=dispatch.DISPATCH_LEASE)
        assert claimed == [report]
        assert DeliveryReport.objects.claim_dispatch(10, now=now, lease=dispatch.DISPATCH_LEASE) == []
        assert (
            len(
                DeliveryReport.objects.claim_dispatch(
                    10, now=now + dispatch.DISPATCH_LEASE, lease=dispatch.DISPATCH_LEASE
                )
            )
            == 1
        )

    def test_it_announces_a_restoration_that_a_dead_process_did_not(self, dlr_signals: SignalLog) -> None:
        AccountFactory.create(held=True)
        with mock.patch.object(dispatch, "send_credits_restored"):
            assert accounts.release_hold("default", now=timezone.now())
        assert dlr_signals == []
        dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE)
        assert dlr_signals == [("credits_restored", {"message": None, "report": None, "account": "default"})]
        assert Account.objects.get().restored_dispatch_due_at is None

    def test_a_restoration_that_is_being_announced_is_left_to_who_does_it(self) -> None:
        late, told = timezone.now() + 2 * dispatch.DISPATCH_LEASE, list[str]()
        AccountFactory.create(restored_dispatch_due_at=timezone.now())

        def receiver(account: str, **kwargs: Any) -> None:
            told.append(account)
            if len(told) == 1:
                dispatch.dispatch_overdue(late)

        signals.credits_restored.connect(receiver)
        dispatch.dispatch_overdue(late)
        assert told == ["default"]

    def test_an_announcement_does_not_take_back_that_of_the_next_outage(self, dlr_signals: SignalLog) -> None:
        """While its receivers are at work another outage ends, and whoever ended that dies before it says so."""
        AccountFactory.create(held=True)
        now, told = timezone.now(), list[str]()

        def receiver(account: str, **kwargs: Any) -> None:
            told.append(account)
            if len(told) == 1:
                later = now + timedelta(minutes=1)
                accounts.start_hold(account, sent_at=later, now=later)
                with mock.patch.object(dispatch, "send_credits_restored"):
                    assert accounts.release_hold(account, now=later)

        signals.credits_restored.connect(receiver)
        accounts.release_hold("default", now=now)
        dispatch.dispatch_overdue(now + timedelta(hours=1))
        assert told == ["default", "default"]

    def test_a_batch_that_is_claimed_late_is_claimed_for_as_long(self, dlr_signals: SignalLog) -> None:
        began = timezone.now() - dispatch.DISPATCH_LEASE
        reports = DeliveryReportFactory.create_batch(2, dispatch_due_at=began)
        due: list[datetime] = []

        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            due.append(DeliveryReport.objects.get(pk=report.pk).dispatch_due_at or began)

        signals.dlr_received.connect(receiver)
        assert dispatch.dispatch_overdue(began) == len(reports)
        assert min(due) > timezone.now() + dispatch.DISPATCH_LEASE / 2


def test_every_signal_of_the_app_can_be_named_on_a_report() -> None:
    """What `BY_NAME` lacks would be sent by nobody."""
    own = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert own == set(signals.BY_NAME)


class TestInATestCaseOfAProject(TestCase):
    """Django's TestCase never commits; its own way to run what waits for the commit works with ours too."""

    def test_signals_come_with_capture_on_commit_callbacks(self) -> None:
        heard: list[SmsMessage] = []

        def receiver(message: SmsMessage, **kwargs: Any) -> None:
            heard.append(message)

        signals.dlr_delivered.connect(receiver)
        message = SmsMessageFactory.create()
        with self.captureOnCommitCallbacks(execute=True):
            assert simulate_callback(message).status_code == 200
        assert heard == [message]


class TestDeliveredMeanwhile:
    """Another report delivers the message between the report of its failure and the dispatch of that."""

    @pytest.fixture
    def failed(self, message: SmsMessage, each_path: str, dlr_signals: SignalLog) -> DeliveryReport:
        with mock.patch.object(dispatch, "dispatch_report"):
            simulate_callback(message, "UNDELIV", 999)
        return message.reports.get()

    def test_dlr_failed__is_not_sent(
        self, message: SmsMessage, failed: DeliveryReport, dlr_signals: SignalLog
    ) -> None:
        simulate_callback(message, "DELIVRD")
        dlr_signals.clear()
        assert dispatch.dispatch_overdue(late(failed)) == 1
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed"]
        failed.refresh_from_db()
        assert failed.dispatch_error == dispatch.DELIVERED_MEANWHILE
        assert (failed.dispatch_failed_at, failed.dispatch_due_at) == (None, None)

    def test_dlr_failed__is_sent_with_the_message_of_now(
        self, failed: DeliveryReport, dlr_signals: SignalLog
    ) -> None:
        def changes(message: SmsMessage, **kwargs: Any) -> None:
            SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})

        signals.dlr_received.connect(changes)
        dispatch.dispatch_overdue(late(failed))
        assert dlr_signals.arguments("dlr_failed")["message"].metadata == {"order": 18}
        assert dlr_signals.names[-2:] == ["dlr_failed", "temporary_failure"]

    def test_dlr_failed__is_not_sent_where_a_receiver_waits(
        self, message: SmsMessage, each_path: str, dlr_signals: SignalLog
    ) -> None:
        def delivers(report: DeliveryReport, **kwargs: Any) -> None:
            if report.stat == "UNDELIV":
                simulate_callback(message, "DELIVRD")

        signals.dlr_received.connect(delivers)
        simulate_callback(message, "UNDELIV", 1)
        assert "dlr_failed" not in dlr_signals.names
        assert dlr_signals.names.count("dlr_delivered") == 1
