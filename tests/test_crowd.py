"""In a crowd of reports one takes along the notes that the signals of the last few were sent."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction
from django.db.utils import ConnectionHandler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_messente_dlr import crowd, dispatch, notes, plans, signals
from django_messente_dlr.crowd import Crowd
from django_messente_dlr.ledger import portable as by_any_database
from django_messente_dlr.ledger import straight
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.notes import Note
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
GENEROUS = 30.0  # seconds


@pytest.fixture(autouse=True)
def _on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use SQLite in memory, where no note waits."""
    monkeypatch.setattr(crowd, "_is_in_memory", lambda alias: False)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog) -> Iterator[Crowd]:
    """Every report has somebody told of it, is one of a crowd, and notes that of the last; the thread sleeps."""
    monkeypatch.setattr(crowd, "CROWD", 1)
    monkeypatch.setattr(crowd, "GROUP", 1)
    monkeypatch.setattr(Crowd, "_have_watched", lambda self: True)
    ours = Crowd("default")
    with mock.patch.dict(crowd._crowds, {"default": ours}, clear=True):
        yield ours


@pytest.fixture
def report(heard: Crowd) -> DeliveryReport:
    """A report that was told of, which nobody has noted yet."""
    return delivered()


def delivered() -> DeliveryReport:
    message = SmsMessageFactory.create()
    assert call_back(message).status_code == 200
    return message.reports.get()


def is_noted(report: DeliveryReport) -> bool:
    report.refresh_from_db()
    assert (report.dispatched_at is None) == (report.dispatch_due_at is not None)
    return report.dispatched_at is not None


def note_of(report: DeliveryReport, **changes: Any) -> Note:
    told = {"pk": report.pk, "due": report.dispatch_due_at, "at": timezone.now()}
    return Note(**{**told, **changes})


@contextmanager
def without_a_database() -> Iterator[mock.Mock]:
    with mock.patch.object(notes, "write", side_effect=OperationalError("gone")) as write:
        yield write


@pytest.mark.usefixtures("each_way")
def test_on_every_way_all_is_noted_in_the_end(heard: Crowd) -> None:
    reports = [delivered() for _ in range(4)]
    heard.write()
    assert [is_noted(report) for report in reports] == [True] * 4
    assert not DeliveryReport.objects.undispatched().exists()


class TestTheNextReport:
    @pytest.mark.parametrize("portable", [False, True])
    def test_takes_it_along(self, report: DeliveryReport, *, portable: bool) -> None:
        writers = {connection.vendor: by_any_database.write} if portable else {}
        before = is_noted(report)
        with mock.patch.dict(straight.WRITERS, writers), without_a_database() as write:
            after = delivered()
        assert (before, is_noted(report), is_noted(after)) == (False, True, False)
        assert not write.called

    def test_takes_it_along_on_no_trip_of_its_own(self, report: DeliveryReport) -> None:
        if connection.vendor == "sqlite":
            own: list[str] = []
            connection.connection.set_trace_callback(own.append)
            delivered()
            connection.connection.set_trace_callback(None)
            sql = [statement for statement in own if "dispatched_at" in statement or statement == "COMMIT"]
            # The factory commits on its own before.
            assert [statement.split()[0] for statement in sql[-4:-1]] == ["INSERT", "UPDATE", "COMMIT"]
            return
        with CaptureQueriesContext(connection) as captured:
            call_back(SmsMessageFactory.create())
        sent = [query["sql"] for query in captured.captured_queries if "deliveryreport" in query["sql"]]
        assert len(sent) == 1
        assert sent[0].count("UPDATE") == 2

    def test_takes_it_along_where_nobody_listens_any_more(self, report: DeliveryReport) -> None:
        for signal in signals.BY_NAME.values():
            signal.receivers = []
        assert is_noted(delivered())
        assert is_noted(report)

    @pytest.mark.parametrize("portable", [False, True])
    def test_takes_some_along_once_there_are_enough(
        self, heard: Crowd, monkeypatch: pytest.MonkeyPatch, *, portable: bool
    ) -> None:
        monkeypatch.setattr(crowd, "GROUP", 3)
        writers = {connection.vendor: by_any_database.write} if portable else {}
        with mock.patch.dict(straight.WRITERS, writers):
            reports = [delivered() for _ in range(3)]
            before = [is_noted(report) for report in reports]
            reports += [delivered() for _ in range(3)]
        assert (before, [is_noted(report) for report in reports]) == ([False] * 3, [True] * 3 + [False] * 3)

    def test_leaves_what_somebody_else_has_taken_over_among_them(
        self, heard: Crowd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crowd, "GROUP", 3)
        reports = [delivered() for _ in range(3)]
        DeliveryReport.objects.filter(pk=reports[1].pk).update(dispatch_due_at=due() + timedelta(days=1))
        reports.append(delivered())
        assert [is_noted(report) for report in reports] == [True, False, True, False]

    def test_takes_it_along_by_a_plan_of_the_database(
        self, report: DeliveryReport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plans, "USES_BEFORE_PREPARING", 0)
        reports = [report, *(delivered() for _ in range(4))]
        assert [is_noted(report) for report in reports] == [True] * 4 + [False]

    def test_that_cannot_be_written_gives_it_back(self, report: DeliveryReport, heard: Crowd) -> None:
        failing = mock.patch.dict(straight.WRITERS, {connection.vendor: mock.Mock(side_effect=OperationalError)})
        with failing:
            assert call_back(SmsMessageFactory.create()).status_code == 503
        assert not is_noted(report)
        heard.write([])
        assert is_noted(report)

    def test_that_is_not_written_the_straight_way_gives_it_back(self, report: DeliveryReport, heard: Crowd) -> None:
        message = SmsMessageFactory.create(status="failed", rank=3)
        assert call_back(message).status_code == 200
        heard.write([])
        assert is_noted(report)

    def test_that_is_there_already_gives_it_back(self, heard: Crowd) -> None:
        message = SmsMessageFactory.create()
        call_back(message)
        report = message.reports.get()
        SmsMessage.objects.filter(pk=message.pk).update(status="sent", rank=1)
        assert call_back(message).status_code == 200
        assert DeliveryReport.objects.get().receipts == 2
        heard.write([])
        assert is_noted(report)

    def test_in_a_transaction_leaves_it_to_others(self, report: DeliveryReport) -> None:
        with transaction.atomic():
            call_back(SmsMessageFactory.create())
            transaction.set_rollback(True)
        assert not is_noted(report)
        delivered()
        assert is_noted(report)

    def test_does_not_take_along_what_was_the_trouble(self, report: DeliveryReport, heard: Crowd) -> None:
        taken = heard.hand_out()
        assert [note.pk for note in taken] == [report.pk]
        heard.give_back(taken)
        assert not heard.hand_out()


def due() -> Any:
    return timezone.now() + timedelta(minutes=2)


class TestItIsNotedAtOnce:
    def test_where_there_is_no_crowd(self, heard: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crowd, "CROWD", 3)
        moments = [0.0, 0.1, 0.2, 1.05, 1.15, 5.0]
        ticks = iter(moments)
        monkeypatch.setattr(crowd, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
        alone = Crowd("default")
        kept = [alone.take_in(Note(1, None, timezone.now())) for _ in moments]
        assert kept == [False, False, True, True, True, False]

    def test_where_a_receiver_has_failed(self, heard: Crowd) -> None:
        def receiver(**kwargs: Any) -> None:
            raise ValueError("no such order")

        signals.dlr_delivered.connect(receiver)
        report = delivered()
        assert is_noted(report)
        assert "no such order" in report.dispatch_error

    def test_where_it_is_sent_again(self, report: DeliveryReport, heard: Crowd) -> None:
        assert dispatch.dispatch(report.pk)
        assert is_noted(report)
        assert report.dispatched_at
        heard.write()
        told = report.dispatched_at
        report.refresh_from_db()
        assert report.dispatched_at == told  # what was kept is no news any more

    def test_where_a_transaction_was_around(self, heard: Crowd) -> None:
        message = SmsMessageFactory.create()
        with transaction.atomic():
            call_back(message)
        assert is_noted(message.reports.get())

    def test_where_the_database_is_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crowd, "CROWD", 1)
        with mock.patch.object(crowd, "_is_in_memory", return_value=True):
            assert not Crowd("default").take_in(Note(1, None, timezone.now()))

    def test_where_no_thread_can_be_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crowd, "CROWD", 1)
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            assert not Crowd("default").take_in(Note(1, None, timezone.now()))

    def test_where_the_process_is_frozen_at_times(self, report: DeliveryReport, heard: Crowd) -> None:
        ticks = iter([1000.0, 1000.0 + crowd.TICK + crowd.OVERSLEPT + 1])
        with mock.patch.object(crowd, "time", SimpleNamespace(time=lambda: next(ticks), sleep=lambda seconds: None)):
            heard._sleep()
        assert is_noted(delivered())

    def test_but_not_where_the_thread_was_merely_late(self, heard: Crowd) -> None:
        ticks = iter([1000.0, 1000.0 + crowd.TICK + 1])
        with mock.patch.object(crowd, "time", SimpleNamespace(time=lambda: next(ticks), sleep=lambda seconds: None)):
            heard._sleep()
        assert not is_noted(delivered())


def test_what_somebody_else_has_taken_over_is_not_noted(report: DeliveryReport, heard: Crowd) -> None:
    DeliveryReport.objects.filter(pk=report.pk).update(dispatch_due_at=due() + timedelta(days=1))
    delivered()
    heard.write()
    assert not is_noted(report)


def test_a_report_that_was_pruned_meanwhile_is_no_trouble(report: DeliveryReport) -> None:
    report.delete()
    assert not is_noted(delivered())


def test_another_database_has_notes_of_its_own() -> None:
    with mock.patch.dict(crowd._crowds, clear=True):
        assert crowd.of("default") is crowd.of("default")
        assert crowd.of("default") is not crowd.of("other")


def test_sqlite_in_memory_is_told_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = []
    for name in (":memory:", "file:shared?mode=memory&cache=shared", str(tmp_path / "a.sqlite3")):
        other = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})
        monkeypatch.setattr(crowd, "connections", other)
        found.append(crowd._is_in_memory("default"))
    assert found == [True, True, False]


class TestTheThread:
    @pytest.fixture(autouse=True)
    def _crowded(self, monkeypatch: pytest.MonkeyPatch, dlr_signals: SignalLog) -> Iterator[None]:
        monkeypatch.setattr(crowd, "CROWD", 1)
        monkeypatch.setattr(crowd, "TICK", 0.05)
        monkeypatch.setattr(Crowd, "_watch", closing(Crowd._watch))
        with mock.patch.dict(crowd._crowds, clear=True):
            yield
            until(lambda: crowd.of("default")._thread is None)

    def test_writes_what_no_report_takes_along_and_ends(self) -> None:
        for _ in range(2):
            report = delivered()
            assert crowd.of("default")._thread is not None
            until(lambda: is_noted(report))  # noqa: B023 - is asked at once
            until(lambda: crowd.of("default")._thread is None)

    def test_leaves_a_note_to_the_next_report_for_a_while(self) -> None:
        ours, report = Crowd("default"), DeliveryReportFactory.create(dispatch_due_at=due(), dispatched_at=None)
        note = note_of(report)
        ours._notes.append(note)
        ours._write_late([])
        assert not is_noted(report)
        ours._write_late([note])
        assert is_noted(report)

    def test_writes_what_was_given_back(self) -> None:
        report = DeliveryReportFactory.create(dispatch_due_at=due(), dispatched_at=None)
        crowd.of("default").give_back([note_of(report)])
        until(lambda: is_noted(report))

    def test_tries_again_where_the_database_is_away(self) -> None:
        with without_a_database() as write:
            report = delivered()
            until(lambda: write.call_count > 2)
            assert not is_noted(report)
        until(lambda: is_noted(report))

    def test_gives_up_and_says_so_once_the_signals_are_sent_again(self, caplog: pytest.LogCaptureFixture) -> None:
        report = DeliveryReportFactory.create(dispatch_due_at=due(), dispatched_at=None)
        late = note_of(report, due=timezone.now() - timedelta(seconds=1))
        with without_a_database(), caplog.at_level(logging.WARNING, "django_messente_dlr"):
            crowd.of("default").give_back([late])
            until(lambda: crowd.of("default")._thread is None)
        assert caplog.messages == [crowd.UNNOTED % (report.pk, "OperationalError")]
        assert not is_noted(report)

    def test_that_has_died_is_replaced(self) -> None:
        ours = crowd.of("default")
        dead = threading.Thread(target=lambda: None)
        dead.start()
        dead.join(GENEROUS)
        ours._thread = dead
        report = delivered()
        until(lambda: is_noted(report))


class TestTheEndOfTheProcess:
    def test_what_waits_is_noted(self, report: DeliveryReport) -> None:
        crowd.write_all()
        assert is_noted(report)

    def test_what_cannot_be_noted_is_told(self, report: DeliveryReport, caplog: pytest.LogCaptureFixture) -> None:
        with without_a_database():
            crowd.write_all()
        assert caplog.messages == [crowd.UNNOTED_AT_THE_END % "OperationalError"]

    def test_what_waits_is_noted_in_a_child_of_celerys_too(self, report: DeliveryReport) -> None:
        """Python's own ``atexit`` does not come there."""
        pytest.importorskip("celery")
        from celery.signals import worker_process_shutdown

        from django_messente_dlr.contrib import celery

        assert celery.write_notes in {receiver for _, receiver in worker_process_shutdown.receivers}
        for _, told in worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0):
            assert not isinstance(told, Exception)
        assert is_noted(report)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There are no forks here.")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_begins_without_its_parents_notes(report: DeliveryReport, heard: Crowd) -> None:
    child = os.fork()
    if child == 0:
        os._exit(len(crowd._crowds))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert crowd._crowds == {"default": heard}


def closing(watch: Callable[[Crowd], None]) -> Callable[[Crowd], None]:
    """Close the thread's connection to SQLite in memory, which Django leaves open."""

    def watched(self: Crowd) -> None:
        try:
            watch(self)
        finally:
            if connection.vendor == "sqlite" and connection.connection is not None:
                connection.connection.close()

    return watched


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + GENEROUS
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_two_notes_of_the_same_are_two() -> None:
    at = timezone.now()
    assert Note(1, None, at) != Note(1, None, at)
