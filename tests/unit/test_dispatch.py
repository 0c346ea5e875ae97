"""The dispatch of signals: after the commit, at least once, whatever a receiver raises."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction
from django.dispatch import Signal
from django.test import TestCase
from django.utils import timezone

from django_messente_dlr import accounts, dispatch, receiving, signals
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERED = ["dlr_received", "dlr_status_changed", "dlr_delivered"]


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create()


class UnreadableError(Exception):
    """An error whose ``__str__`` raises."""

    def __str__(self) -> str:
        raise AttributeError


class ReceiverObject:
    """A callable object with a method. Both raise the error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, **kwargs: Any) -> None:
        raise self.error

    def raise_error(self, **kwargs: Any) -> None:
        raise self.error


def raise_error(error: Exception, **kwargs: Any) -> None:
    raise error


def record(message: SmsMessage) -> None:
    report = Report(source=Source.CALLBACK, stat="DELIVRD")
    receiving.record(report, account="default", message_key=message.callback_key)


def record_and_roll_back(message: SmsMessage) -> None:
    """Record a report inside a transaction that is rolled back."""
    with transaction.atomic():
        record(message)
        raise ZeroDivisionError


def record_without_dispatch(message: SmsMessage) -> DeliveryReport:
    """Record a report in a process that dies after the commit and before it sends the signals."""
    with mock.patch.object(dispatch.send, "dispatch_report"):
        simulate_callback(message)
    return DeliveryReport.objects.get()


def after_lease(report: DeliveryReport) -> Any:
    """Return a time at which the sweep may send the signals of a report."""
    assert report.dispatch_due_at is not None
    return report.dispatch_due_at + timedelta(seconds=1)


class TestAfterCommit:
    def test_receivers__run_after_the_commit(self, message: SmsMessage) -> None:
        states: list[tuple[str, bool]] = []

        def receiver(message: SmsMessage, **kwargs: Any) -> None:
            connection = transaction.get_connection()
            states.append((SmsMessage.objects.get(pk=message.pk).status, connection.in_atomic_block))

        signals.dlr_delivered.connect(receiver)
        simulate_callback(message)
        assert states == [("delivered", False)]

    def test_rollback__sends_no_signals(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        with pytest.raises(ZeroDivisionError):
            record_and_roll_back(message)
        assert dlr_signals == []
        assert not DeliveryReport.objects.exists()

    def test_outer_transaction__delays_signals_until_its_commit(
        self, message: SmsMessage, dlr_signals: SignalLog
    ) -> None:
        with transaction.atomic():
            record(message)
            before = list(dlr_signals)
        assert before == []
        assert dlr_signals.names == DELIVERED

    @pytest.mark.parametrize("outer_context", [nullcontext, transaction.atomic])
    def test_dispatch_error__is_answered_200_and_retried(
        self, message: SmsMessage, outer_context: Callable[[], Any], dlr_signals: SignalLog
    ) -> None:
        error = OperationalError("gone")
        with mock.patch.object(dispatch.send, "dispatch_report", side_effect=error), outer_context():
            assert simulate_callback(message).status_code == 200
        assert dlr_signals == []
        assert dispatch.dispatch_overdue(after_lease(DeliveryReport.objects.get())) == 1
        assert dlr_signals.names == DELIVERED

    def test_dispatch__is_stored_on_the_report(self, message: SmsMessage) -> None:
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert report.signals == DELIVERED
        assert report.dispatched_at is not None
        assert report.dispatch_due_at is None
        assert report.dispatch_error == ""


class TestReceiverErrors:
    @pytest.fixture
    def _unlogged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Disable the log: pytest keeps it, and xdist cannot send a lone surrogate to another process."""
        monkeypatch.setattr(logging.getLogger("django_messente_dlr.signals"), "disabled", True)

    @pytest.fixture
    def failing(self) -> Any:
        def receiver(**kwargs: Any) -> None:
            raise ValueError("no such order")

        signals.dlr_delivered.connect(receiver)
        return receiver

    def test_receiver_error__is_stored_and_others_are_called(
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

    def test_dispatch_report__clears_the_error_after_success(
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
        ("error", "expected"),
        [
            (RuntimeError("out of order"), "RuntimeError: out of order"),
            (
                RuntimeError("a NUL \0 and half a \ud800 character"),
                "RuntimeError: a NUL \ufffd and half a ? character",
            ),
            (RuntimeError("x" * 5000), f"RuntimeError: {'x' * 1000}"),
            (UnreadableError(), "UnreadableError: the error has no readable message"),
        ],
    )
    @pytest.mark.parametrize("receiver_type", ["object", "partial", "method", "function"])
    @pytest.mark.usefixtures("_unlogged")
    def test_receiver_error__names_any_kind_of_receiver(
        self,
        message: SmsMessage,
        receiver_type: str,
        error: Exception,
        expected: str,
        dlr_signals: SignalLog,
        *,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        receiver_object = ReceiverObject(error)
        # xdist cannot send a log record with a lone surrogate from one process to another.
        caplog.set_level(logging.CRITICAL, logger=signals.logger.name)
        receivers: dict[str, tuple[Callable[..., None], str]] = {
            "object": (receiver_object, "ReceiverObject"),
            "partial": (partial(raise_error, error), "raise_error"),
            "method": (receiver_object.raise_error, "ReceiverObject.raise_error"),
            "function": (lambda **kwargs: raise_error(error), "<lambda>"),
        }
        receiver, name = receivers[receiver_type]
        signals.dlr_received.connect(receiver)
        assert simulate_callback(message).status_code == 200
        report = DeliveryReport.objects.get()
        assert report.dispatch_error.endswith(f"{name}: {expected}")
        assert report.dispatch_error.startswith(f"{__name__}.")
        assert report.dispatched_at is not None
        assert dlr_signals.names == DELIVERED


class TestDispatchOverdue:
    def test_dispatch_overdue__sends_signals_of_a_dead_process(
        self, message: SmsMessage, dlr_signals: SignalLog
    ) -> None:
        report = record_without_dispatch(message)
        assert list(DeliveryReport.objects.undispatched()) == [report]
        assert dispatch.dispatch_overdue() == 0  # the process may still be sending them
        assert dispatch.dispatch_overdue(after_lease(report)) == 1
        assert dlr_signals.names == DELIVERED
        assert dlr_signals.arguments("dlr_status_changed")["previous"] == "sent"
        assert dispatch.dispatch_overdue(after_lease(report) + timedelta(days=1)) == 0

    def test_dispatch_overdue__continues_after_an_error(
        self, dlr_signals: SignalLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        past = timezone.now() - timedelta(minutes=1)
        DeliveryReportFactory.create(dispatch_due_at=past - timedelta(minutes=1), signals=["no_such_signal"])
        DeliveryReportFactory.create(dispatch_due_at=past)
        assert dispatch.dispatch_overdue() == 1
        assert dlr_signals.names == ["dlr_received"]
        assert "could not be sent" in caplog.text

    def test_claim_dispatch__excludes_claimed_reports(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        report = record_without_dispatch(message)
        now = after_lease(report)
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

    def test_dispatch_overdue__calls_a_slow_receiver_again(self, message: SmsMessage) -> None:
        """A receiver that takes longer than the lease, which the README states, is called a second time meanwhile."""
        assert timedelta(minutes=2) == dispatch.DISPATCH_LEASE
        calls = []

        def takes_too_long(*, report: DeliveryReport, **kwargs: Any) -> None:
            calls.append("begin")
            if len(calls) == 1:
                dispatch.dispatch_overdue(after_lease(report))
            calls.append("end")

        signals.dlr_received.connect(takes_too_long)
        assert simulate_callback(message).status_code == 200
        assert calls == ["begin", "begin", "end", "end"]
        report = DeliveryReport.objects.get()
        assert report.dispatched_at is not None
        assert report.dispatch_due_at is None

    def test_dispatch_overdue__sends_an_unsent_credits_restored(self, dlr_signals: SignalLog) -> None:
        AccountFactory.create(held=True)
        with mock.patch.object(dispatch, "send_credits_restored"):
            assert accounts.release_hold("default", now=timezone.now())
        assert dlr_signals == []
        dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE)
        assert dlr_signals == [("credits_restored", {"message": None, "report": None, "account": "default"})]
        assert Account.objects.get().restored_dispatch_due_at is None

    def test_dispatch_overdue__sends_credits_restored_once(self) -> None:
        later, accounts_received = timezone.now() + 2 * dispatch.DISPATCH_LEASE, list[str]()
        AccountFactory.create(restored_dispatch_due_at=timezone.now())

        def receiver(account: str, **kwargs: Any) -> None:
            accounts_received.append(account)
            if len(accounts_received) == 1:
                dispatch.dispatch_overdue(later)

        signals.credits_restored.connect(receiver)
        dispatch.dispatch_overdue(later)
        assert accounts_received == ["default"]

    def test_credits_restored__keeps_the_next_outage_due(self, dlr_signals: SignalLog) -> None:
        """Another outage ends while receivers run, and the process that ended it dies before it sends the signal."""
        AccountFactory.create(held=True)
        now, accounts_received = timezone.now(), list[str]()

        def receiver(account: str, **kwargs: Any) -> None:
            accounts_received.append(account)
            if len(accounts_received) == 1:
                later = now + timedelta(minutes=1)
                accounts.start_hold(account, sent_at=later, now=later)
                with mock.patch.object(dispatch, "send_credits_restored"):
                    assert accounts.release_hold(account, now=later)

        signals.credits_restored.connect(receiver)
        accounts.release_hold("default", now=now)
        dispatch.dispatch_overdue(now + timedelta(hours=1))
        assert accounts_received == ["default", "default"]

    def test_dispatch_overdue__lease_starts_at_the_claim(self, dlr_signals: SignalLog) -> None:
        sweep_start = timezone.now() - dispatch.DISPATCH_LEASE
        reports = DeliveryReportFactory.create_batch(2, dispatch_due_at=sweep_start)
        due: list[datetime] = []

        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            due.append(DeliveryReport.objects.get(pk=report.pk).dispatch_due_at or sweep_start)

        signals.dlr_received.connect(receiver)
        assert dispatch.dispatch_overdue(sweep_start) == len(reports)
        assert min(due) > timezone.now() + dispatch.DISPATCH_LEASE / 2


def test_by_name__contains_every_signal() -> None:
    """A signal that is missing in `BY_NAME` would never be sent."""
    names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert names == set(signals.BY_NAME)


class TestProjectTestCase(TestCase):
    """Django's TestCase never commits. `captureOnCommitCallbacks` runs the dispatch nevertheless."""

    def test_signals__are_sent_with_capture_on_commit_callbacks(self) -> None:
        received: list[SmsMessage] = []

        def receiver(message: SmsMessage, **kwargs: Any) -> None:
            received.append(message)

        signals.dlr_delivered.connect(receiver)
        message = SmsMessageFactory.create()
        with self.captureOnCommitCallbacks(execute=True):
            assert simulate_callback(message).status_code == 200
        assert received == [message]


class TestDeliveredMeanwhile:
    """A second report delivers the message after the report of its failure and before the dispatch of that report."""

    @pytest.fixture
    def failed(self, message: SmsMessage, each_path: str, dlr_signals: SignalLog) -> DeliveryReport:
        with mock.patch.object(dispatch.send, "dispatch_report"):
            simulate_callback(message, "UNDELIV", 999)
        return message.reports.get()

    def test_dlr_failed__is_not_sent(
        self, message: SmsMessage, failed: DeliveryReport, dlr_signals: SignalLog
    ) -> None:
        simulate_callback(message, "DELIVRD")
        dlr_signals.clear()
        assert dispatch.dispatch_overdue(after_lease(failed)) == 1
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed"]
        failed.refresh_from_db()
        assert failed.dispatch_error == f"dlr_failed {dispatch.DELIVERED_MEANWHILE}"
        assert (failed.dispatch_failed_at, failed.dispatch_due_at) == (None, None)

    def test_dlr_failed__is_sent_with_the_current_message(
        self, failed: DeliveryReport, dlr_signals: SignalLog
    ) -> None:
        def receiver(message: SmsMessage, **kwargs: Any) -> None:
            SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})

        signals.dlr_received.connect(receiver)
        dispatch.dispatch_overdue(after_lease(failed))
        assert dlr_signals.arguments("dlr_failed")["message"].metadata == {"order": 18}
        assert dlr_signals.names[-2:] == ["dlr_failed", "temporary_failure"]

    def test_dlr_cancelled__is_not_sent(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        with mock.patch.object(dispatch.send, "dispatch_report"):
            receiving.record_final(message, Report(source=Source.CANCEL), Status.CANCELLED)
        cancelled = message.reports.get()
        simulate_callback(message, "DELIVRD")
        dlr_signals.clear()
        assert dispatch.dispatch_overdue(after_lease(cancelled)) == 1
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed"]
        cancelled.refresh_from_db()
        assert cancelled.dispatch_error == f"dlr_cancelled {dispatch.DELIVERED_MEANWHILE}"
        assert (cancelled.dispatch_failed_at, cancelled.dispatch_due_at) == (None, None)

    def test_dlr_failed__is_not_sent_after_a_nested_delivery(
        self, message: SmsMessage, each_path: str, dlr_signals: SignalLog
    ) -> None:
        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            if report.stat == "UNDELIV":
                simulate_callback(message, "DELIVRD")

        signals.dlr_received.connect(receiver)
        simulate_callback(message, "UNDELIV", 1)
        assert "dlr_failed" not in dlr_signals.names
        assert dlr_signals.names.count("dlr_delivered") == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="closing the connection deletes a database in memory")
def test_dispatch_report__lost_connection_leaves_signals_due(message: SmsMessage, dlr_signals: SignalLog) -> None:
    """The receivers fail with the connection, which is no fault of theirs: the sweep calls them again."""

    def lose_connection(**kwargs: Any) -> None:
        signals.dlr_received.disconnect(lose_connection)
        connection.connection.close()
        SmsMessage.objects.count()

    signals.dlr_received.connect(lose_connection)
    assert simulate_callback(message).status_code == 200
    report = DeliveryReport.objects.get()
    assert (report.dispatched_at, report.dispatch_error, report.dispatch_failed_at) == (None, "", None)
    dlr_signals.clear()
    assert dispatch.dispatch_overdue(after_lease(report)) == 1
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
