"""Deferred receivers: a report is committed with its signals due, and another process claims and sends them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from django_messente_dlr import accounts, conf, dispatch, receiving, signals
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.testing.callbacks import simulate_callback, simulate_omnichannel_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERED = ["dlr_received", "dlr_status_changed", "dlr_delivered"]
GENEROUS = 60.0  # seconds
pushed: list[int | None] = []


def push(report_pk: int | None) -> None:
    assert not connection.in_atomic_block
    pushed.append(report_pk)


def failing_push(report_pk: int | None) -> None:
    raise ConnectionRefusedError("no broker")


def dying_push(report_pk: int | None) -> None:
    """End the process between the commit and the push."""
    raise SystemExit


def dispatching_push(report_pk: int | None) -> None:
    if report_pk is not None:
        dispatch.dispatch_due(report_pk)


@pytest.fixture(autouse=True)
def deferred(settings: Any) -> Callable[[str], None]:
    """Defer the receivers, and return a function that sets ``DISPATCH_PUSH`` to a function of this module."""
    pushed.clear()
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DISPATCH": "deferred"}

    def set_push(name: str) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DISPATCH_PUSH": f"{__name__}.{name}"}

    return set_push


@pytest.fixture
def message() -> SmsMessage:
    return SmsMessageFactory.create()


@pytest.mark.usefixtures("each_path")
class TestCallback:
    def test_callback__leaves_signals_due(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        before = timezone.now()
        assert simulate_callback(message).status_code == 200
        assert dlr_signals == []
        report = DeliveryReport.objects.get()
        assert report.dispatched_at is None
        assert report.dispatch_due_at is not None
        assert before <= report.dispatch_due_at <= timezone.now()
        assert report.signals == DELIVERED

    def test_callback__pushes_the_report(
        self, message: SmsMessage, dlr_signals: SignalLog, deferred: Callable[[str], None]
    ) -> None:
        deferred("push")
        simulate_callback(message)
        assert pushed == [DeliveryReport.objects.get().pk]
        assert dlr_signals == []

    def test_callback__without_receivers_is_dispatched(
        self, message: SmsMessage, deferred: Callable[[str], None]
    ) -> None:
        deferred("push")
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert (report.dispatch_due_at, pushed) == (None, [])
        assert report.dispatched_at is not None

    def test_push_error__is_logged_and_answered_200(
        self,
        message: SmsMessage,
        dlr_signals: SignalLog,
        deferred: Callable[[str], None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        deferred("failing_push")
        assert simulate_callback(message).status_code == 200
        assert "DISPATCH_PUSH failed" in caplog.text
        assert dispatch.dispatch_overdue() == 1
        assert dlr_signals.names == DELIVERED

    def test_callback__last_channel_fails(self, dlr_signals: SignalLog, deferred: Callable[[str], None]) -> None:
        deferred("push")
        message = SmsMessageFactory.create(several_channels=True)
        for channel in message.channels:
            payload = {**channel, "omnimessage_id": message.omnimessage_id, "status": "UNDELIV", "err": 1}
            assert simulate_omnichannel_callback(payload, url=message.callback_url).status_code == 200
        last = DeliveryReport.objects.latest("pk")
        assert last.pk in pushed
        assert dlr_signals == []
        assert dispatch.dispatch_due(last.pk) is True
        assert "dlr_failed" in dlr_signals.names

    def test_crash__between_commit_and_push(
        self, message: SmsMessage, dlr_signals: SignalLog, deferred: Callable[[str], None]
    ) -> None:
        deferred("dying_push")
        with pytest.raises(SystemExit):
            simulate_callback(message)
        assert dispatch.dispatch_overdue() == 1
        assert dlr_signals.names == DELIVERED

    def test_push__of_a_task_that_runs_at_once(
        self, message: SmsMessage, dlr_signals: SignalLog, deferred: Callable[[str], None]
    ) -> None:
        deferred("dispatching_push")
        simulate_callback(message)
        assert dlr_signals.names == DELIVERED
        assert not DeliveryReport.objects.undispatched().exists()

    def test_rollback__pushes_nothing(
        self, message: SmsMessage, dlr_signals: SignalLog, deferred: Callable[[str], None]
    ) -> None:
        deferred("push")
        with transaction.atomic():
            simulate_callback(message)
            assert pushed == []
            transaction.set_rollback(True)
        assert pushed == []
        assert not DeliveryReport.objects.exists()


class TestDispatchDue:
    def test_dispatch_due__sends_signals_in_order(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert dispatch.dispatch_due(report.pk)
        assert dlr_signals.names == DELIVERED
        report.refresh_from_db()
        assert report.dispatch_due_at is None
        assert report.dispatched_at is not None

    def test_dispatch_due__second_task_sends_nothing(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        simulate_callback(message)
        report_pk = DeliveryReport.objects.get().pk
        assert [dispatch.dispatch_due(report_pk) for _ in range(2)] == [True, False]
        assert dispatch.dispatch_overdue() == 0
        assert dlr_signals.names == DELIVERED

    def test_dispatch_due__while_another_task_sends(self, message: SmsMessage) -> None:
        """While receivers run, neither a second task nor the sweep sends the signals of the report."""
        calls: list[object] = []

        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            calls.append("receiver")
            calls.append(dispatch.dispatch_due(report.pk))
            calls.append(dispatch.dispatch_overdue())

        signals.dlr_delivered.connect(receiver)
        simulate_callback(message)
        assert dispatch.dispatch_due(DeliveryReport.objects.get().pk)
        assert calls == ["receiver", False, 0]

    def test_dispatch_due__dead_task_is_repeated(self, message: SmsMessage, dlr_signals: SignalLog) -> None:
        simulate_callback(message)
        report_pk = DeliveryReport.objects.get().pk
        with mock.patch.object(dispatch.send, "dispatch_report"):  # the process dies after the claim
            dispatch.dispatch_due(report_pk)
        assert dispatch.dispatch_overdue() == 0
        assert dispatch.dispatch_overdue(timezone.now() + dispatch.DISPATCH_LEASE) == 1
        assert dlr_signals.names == DELIVERED

    def test_dispatch_due__deleted_report(self) -> None:
        assert not dispatch.dispatch_due(4711)

    def test_dispatch_due__clock_of_the_web_process_is_ahead(self, dlr_signals: SignalLog) -> None:
        due_at = timezone.now() + timedelta(seconds=3)
        report = DeliveryReportFactory.create(dispatch_due_at=due_at, dispatched_at=None)
        assert dispatch.dispatch_due(report.pk)

    def test_receiver_error__is_stored(self, message: SmsMessage) -> None:
        def receiver(**kwargs: Any) -> None:
            raise ValueError("no such order")

        signals.dlr_delivered.connect(receiver)
        simulate_callback(message)
        report = DeliveryReport.objects.get()
        assert dispatch.dispatch_due(report.pk)
        report.refresh_from_db()
        assert report.dispatch_error.endswith("ValueError: no such order")
        assert report.dispatched_at is not None


class TestOrphans:
    def test_match__before_the_dispatch(self, dlr_signals: SignalLog) -> None:
        """Its signals are due and not sent, so the match adds those of the message, in order."""
        orphan = DeliveryReportFactory.create(
            message=None, sms_unique_id="an-id", dispatch_due_at=timezone.now(), dispatched_at=None
        )
        SmsMessageFactory.create(sms_unique_id="an-id")
        assert receiving.match_orphans() == 1
        assert dlr_signals == []
        assert dispatch.dispatch_due(orphan.pk)
        assert dlr_signals.names == DELIVERED

    def test_match__after_the_dispatch(self, dlr_signals: SignalLog, deferred: Callable[[str], None]) -> None:
        deferred("push")
        orphan = DeliveryReportFactory.create(message=None, sms_unique_id="an-id")
        SmsMessageFactory.create(sms_unique_id="an-id")
        assert receiving.match_orphans() == 1
        assert pushed == [orphan.pk]
        assert dispatch.dispatch_due(orphan.pk)
        assert sorted(dlr_signals.names) == sorted(set(DELIVERED) - {"dlr_received"})

    @pytest.mark.parametrize("is_sweep", [False, True])
    def test_match__message_is_committed_during_the_dispatch(self, dlr_signals: SignalLog, is_sweep: bool) -> None:
        orphan = DeliveryReportFactory.create(
            message=None, sms_unique_id="an-id", dispatch_due_at=timezone.now(), dispatched_at=None
        )

        def receiver(message: SmsMessage | None, **kwargs: Any) -> None:
            if message is None:
                SmsMessageFactory.create(sms_unique_id="an-id")
                assert receiving.match_orphans() == 0  # the signals of the orphan are being sent

        signals.dlr_received.connect(receiver)
        if is_sweep:
            dispatch.dispatch_overdue(on_orphan=receiving.match_orphan)
        else:
            dispatch.dispatch_due(orphan.pk, on_orphan=receiving.match_orphan)
        assert SmsMessage.objects.get().status == "delivered"
        dispatch.dispatch_due(orphan.pk)
        assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]


class TestCreditsRestored:
    def test_release_hold__is_due_and_pushed(self, dlr_signals: SignalLog, deferred: Callable[[str], None]) -> None:
        deferred("push")
        AccountFactory.create(held=True)
        assert accounts.release_hold("default", now=timezone.now())
        assert (dlr_signals, pushed) == ([], [None])
        dispatch.dispatch_overdue()
        assert dlr_signals.names == ["credits_restored"]
        assert Account.objects.get().restored_dispatch_due_at is None


class TestDispatchOverdue:
    def test_dispatch_overdue__stops_before_the_next_report(self, dlr_signals: SignalLog) -> None:
        due_at, stop = timezone.now() - timedelta(minutes=1), threading.Event()
        DeliveryReportFactory.create_batch(3, dispatch_due_at=due_at, dispatched_at=None)
        signals.dlr_received.connect(stop_receiver := lambda **kwargs: stop.set())
        assert dispatch.dispatch_overdue(stop=stop) == 1
        assert dlr_signals.names == ["dlr_received"]
        signals.dlr_received.disconnect(stop_receiver)
        # The other claimed reports are released: their lease need not end first.
        assert dispatch.dispatch_overdue() == 2

    def test_dispatch_overdue__ends_after_its_time(self, dlr_signals: SignalLog) -> None:
        DeliveryReportFactory.create(dispatch_due_at=timezone.now(), dispatched_at=None)
        AccountFactory.create(restored_dispatch_due_at=timezone.now())
        assert dispatch.dispatch_overdue(seconds=0.0) == 0
        assert dlr_signals.names == ["credits_restored"]
        assert dispatch.dispatch_overdue(seconds=GENEROUS) == 1

    def test_dispatch_overdue__renews_the_lease_after_a_slow_receiver(
        self, monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog
    ) -> None:
        monkeypatch.setattr(dispatch.overdue, "RENEW_AFTER", timedelta(0))
        due_at = timezone.now() - timedelta(minutes=1)
        _, second = DeliveryReportFactory.create_batch(2, dispatch_due_at=due_at, dispatched_at=None)
        claims: list[Any] = []

        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            rows = DeliveryReport.objects.values_list("dispatch_due_at", flat=True)
            claims.append((rows.get(pk=report.pk), rows.get(pk=second.pk)))

        signals.dlr_received.connect(receiver)
        assert dispatch.dispatch_overdue() == 2
        # The claim of the second report was made before the first one was renewed, and renewed again after it.
        assert claims[0][0] > claims[0][1]
        assert claims[1][0] > claims[0][0]

    def test_dispatch_overdue__report_that_another_process_claimed(
        self, monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog
    ) -> None:
        """A receiver took longer than the lease, and another process has claimed the next report meanwhile."""
        monkeypatch.setattr(dispatch.overdue, "RENEW_AFTER", timedelta(0))
        due_at = timezone.now() - timedelta(minutes=1)
        DeliveryReportFactory.create_batch(2, dispatch_due_at=due_at, dispatched_at=None)
        later = timezone.now() + 2 * dispatch.DISPATCH_LEASE

        def receiver(report: DeliveryReport, **kwargs: Any) -> None:
            if not DeliveryReport.objects.filter(dispatch_due_at=later).exists():
                DeliveryReport.objects.exclude(pk=report.pk).update(dispatch_due_at=later)

        signals.dlr_received.connect(receiver)
        assert dispatch.dispatch_overdue() == 1
        assert dlr_signals.names == ["dlr_received"]
        assert DeliveryReport.objects.undispatched().get().dispatch_due_at == later


def test_slow_receiver__delays_no_answer(message: SmsMessage) -> None:
    """The receiver waits in a worker until the callbacks are answered."""
    if connection.vendor == "sqlite":
        pytest.skip("a second thread has no independent connection to an in-memory database")
    is_called, may_return = threading.Event(), threading.Event()

    def receiver(**kwargs: Any) -> None:
        is_called.set()
        assert may_return.wait(GENEROUS)

    def work() -> None:
        dispatch.dispatch_overdue()
        connection.close()

    signals.dlr_failed.connect(receiver)
    worker = threading.Thread(target=work, daemon=True)
    try:
        assert simulate_callback(message, "UNDELIV", 1).status_code == 200
        assert not is_called.is_set()
        worker.start()
        assert is_called.wait(GENEROUS)
        assert simulate_callback(message, "DELIVRD").status_code == 200
        assert worker.is_alive()
    finally:
        may_return.set()
        worker.join(GENEROUS)
    message.refresh_from_db()
    assert message.status == "delivered"
    assert DeliveryReport.objects.undispatched().count() == 0  # dlr_received and dlr_delivered have no receivers


def test_dispatch_due__two_workers_send_once(message: SmsMessage) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("a second thread has no independent connection to an in-memory database")
    calls: list[str] = []
    signals.dlr_delivered.connect(receiver := lambda **kwargs: calls.append("called"))
    simulate_callback(message)
    report_pk, barrier, results = DeliveryReport.objects.get().pk, threading.Barrier(2), list[bool]()

    def work() -> None:
        barrier.wait(GENEROUS)
        results.append(dispatch.dispatch_due(report_pk))
        connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GENEROUS)
    assert sorted(results) == [False, True]
    assert calls == ["called"]
    assert signals.dlr_delivered.disconnect(receiver)


@pytest.mark.parametrize(("key", "value"), [("DISPATCH", "later"), ("DISPATCH", True), ("DISPATCH_PUSH", "push")])
def test_get_config__invalid_dispatch(settings: Any, key: str, value: object) -> None:
    settings.MESSENTE_DLR = {key: value}
    with pytest.raises(ImproperlyConfigured, match=f"{key} must be"):
        conf.get_config()
