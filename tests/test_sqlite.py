"""SQLite's one lock: waited for in short steps first, and then as long as the settings say."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from django_messente_dlr import sqlite
from django_messente_dlr.models import PendingReport, SmsMessage
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.delivery.databases import shared

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite alone has one lock"),
]
TIMEOUT = 30_000  # milliseconds; nothing here takes so long


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who holds the lock."""
    SmsMessageFactory.create()
    with shared(tmp_path), closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as other:
        ours().execute(f"PRAGMA busy_timeout = {TIMEOUT}")
        other.execute("BEGIN IMMEDIATE")
        yield other


def ours() -> Any:
    connections["default"].ensure_connection()
    return connections["default"].connection


def timeout() -> int:
    return int(ours().execute("PRAGMA busy_timeout").fetchone()[0])


@contextmanager
def freed_at(other: sqlite3.Connection, attempt: int) -> Iterator[list[int]]:
    """Have the lock freed before so many attempts have been made, and collect the time-outs meanwhile."""
    timeouts: list[int] = []

    def wait(number: int) -> None:
        assert number == len(timeouts)
        timeouts.append(timeout())
        if len(timeouts) == attempt:
            other.execute("COMMIT")

    with mock.patch.object(sqlite, "_wait", wait):
        yield timeouts


def test_a_lock_that_is_free_again_soon_is_waited_for_in_short_steps(other: sqlite3.Connection) -> None:
    with freed_at(other, 3) as timeouts, sqlite.holding(connections["default"]):
        assert ours().in_transaction
        SmsMessage.objects.update(sender="x")
    assert timeouts == [0, 0, 0]
    assert timeout() == TIMEOUT
    assert not ours().in_transaction
    assert other.execute("SELECT sender FROM django_messente_dlr_smsmessage").fetchall() == [("x",)]


def test_one_that_lasts_is_waited_for_as_long_as_the_settings_say(
    other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "ATTEMPTS", 2)
    monkeypatch.setattr(sqlite, "PAUSE", 0)
    ours().execute("PRAGMA busy_timeout = 1")
    with pytest.raises(OperationalError, match="locked"), sqlite.holding(connections["default"]):
        pytest.fail("somebody else holds it")
    assert timeout() == 1
    assert not connections["default"].in_atomic_block


def test_between_the_first_attempts_others_may_have_the_core_and_nobody_sleeps(
    other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    monkeypatch.setattr(sqlite, "ATTEMPTS_AWAKE", 2)
    monkeypatch.setattr(sqlite, "ATTEMPTS", 4)
    monkeypatch.setattr(os, "sched_yield", lambda: waited.append("gave way"), raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append("slept"))
    ours().execute("PRAGMA busy_timeout = 0")
    with pytest.raises(OperationalError, match="locked"), sqlite.holding(connections["default"]):
        pytest.fail("somebody else holds it")
    monkeypatch.delattr(os, "sched_yield")
    with pytest.raises(OperationalError, match="locked"), sqlite.holding(connections["default"]):
        pytest.fail("somebody else holds it")
    assert waited == ["gave way"] * 2 + ["slept"] * 2 + ["slept"] * 4


def test_an_error_undoes_what_was_done(other: sqlite3.Connection) -> None:
    other.execute("COMMIT")

    def change() -> None:
        SmsMessage.objects.update(sender="x")
        with connections["default"].cursor() as cursor:
            cursor.execute("INSERT INTO django_messente_dlr_account (name) VALUES ('a'), ('a')")

    with pytest.raises(IntegrityError), sqlite.holding(connections["default"]):
        change()
    assert not ours().in_transaction
    assert SmsMessage.objects.get().sender != "x"


def test_what_is_no_lock_is_raised_at_once(other: sqlite3.Connection) -> None:
    other.execute("COMMIT")
    inside = pytest.raises(OperationalError, match="within a transaction")
    with transaction.atomic(), inside, sqlite.holding(connections["default"]):
        pytest.fail("there is a transaction")
    assert timeout() == TIMEOUT


def test_attempts_leave_nothing_behind_for_another_thread_to_collect(other: sqlite3.Connection) -> None:
    """A cursor in such garbage is reset by whichever thread collects it, and that one waits for the cursor's own."""
    gc.collect()
    gc.disable()
    try:
        with freed_at(other, 20), sqlite.holding(connections["default"]):
            pass
        cursors = [thing for thing in gc.get_objects() if isinstance(thing, sqlite3.Cursor)]
        del cursors[:]
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [thing for thing in gc.garbage if isinstance(thing, (sqlite3.Cursor, BaseException))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


class Turn:
    """A turn that tells when somebody asks for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked = threading.Semaphore(0)

    def acquire(self, *, timeout: float) -> bool:
        self.asked.release()
        return self.lock.acquire(timeout=timeout)

    def release(self) -> None:
        self.lock.release()


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Turn:
    turn = Turn()
    monkeypatch.setattr(sqlite, "TURN", TIMEOUT / 1000)
    monkeypatch.setattr(sqlite, "_turns", {"default": turn})
    return turn


def test_the_threads_of_a_process_ask_for_it_one_after_the_other(other: sqlite3.Connection, turn: Turn) -> None:
    other.execute("COMMIT")
    done: list[str] = []
    begin = sqlite._begin_soon

    def asked(connection: Any) -> bool:
        done.append(f"{threading.current_thread().name} asks")
        return begin(connection)

    def second() -> None:
        own: Any = connections.create_connection("default")
        own.settings_dict = file
        with closing(own), sqlite.holding(own):
            done.append("second has it")

    file = connections["default"].settings_dict
    thread = threading.Thread(target=second, name="second")
    with mock.patch.object(sqlite, "_begin_soon", asked):
        with sqlite.holding(connections["default"]):
            thread.start()
            assert all(turn.asked.acquire(timeout=TIMEOUT / 1000) for _ in range(2))
            done.append("first is done")
        thread.join(TIMEOUT / 1000)
    assert done == ["MainThread asks", "first is done", "second asks", "second has it"]
    assert not turn.lock.locked()


def test_whose_turn_does_not_come_waits_for_the_database_alone(
    other: sqlite3.Connection, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.execute("COMMIT")
    monkeypatch.setattr(sqlite, "TURN", 0)
    with turn.lock:
        with sqlite.holding(connections["default"]):
            assert ours().in_transaction
        assert turn.lock.locked()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There are no forks here.")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_waits_for_no_thread_of_its_parents(other: sqlite3.Connection) -> None:
    other.execute("COMMIT")
    with sqlite.holding(connections["default"]):
        assert sqlite._turns["default"].locked()
        child = os.fork()
        if not child:
            os._exit(len(sqlite._turns))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nothing_is_held_elsewhere_or_within_a_transaction(other: sqlite3.Connection) -> None:
    other.execute("COMMIT")
    with transaction.atomic():
        assert not sqlite.can_hold(connections["default"])
    transaction.set_autocommit(False)
    try:
        assert not sqlite.can_hold(connections["default"])
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert sqlite.can_hold(connections["default"])


def test_a_report_passes_djangos_cursors_by_unless_somebody_watches_them(other: sqlite3.Connection) -> None:
    other.execute("COMMIT")
    ours()
    with closing(connections["default"].connection.cursor()) as cursor:
        own = type(cursor)
    with sqlite.own_cursor(connections["default"]) or nullcontext() as cursor:
        assert type(cursor) is own
    with CaptureQueriesContext(connections["default"]) as captured:
        assert sqlite.own_cursor(connections["default"]) is None
        assert call_back(SmsMessage.objects.get()).status_code == 200
    said = [query["sql"].split()[0] for query in captured.captured_queries]
    assert [word for word in said if word in {"UPDATE", "DELETE"}][:2] == ["UPDATE", "DELETE"]


def test_what_is_written_past_djangos_cursors_is_the_same(other: sqlite3.Connection, dlr_signals: SignalLog) -> None:
    other.execute("COMMIT")
    rows, told = [], []
    for watched in (False, True):
        message = SmsMessageFactory.create(recipient="+37255500001", metadata={"said": "it's 100 %s?"})
        watching = CaptureQueriesContext(connections["default"]) if watched else nullcontext()
        with watching:
            assert call_back(message, "UNDELIV", "1").status_code == 200
        told.append(dlr_signals.arguments("dlr_failed")["message"])
        rows.append(message.reports.get())
        assert told[-1].pk == message.pk
        dlr_signals.clear()
    own = {"id", "sms_unique_id", "created_at", "sent_at", "finalised_at", "received_at", "fingerprint", "payload"}
    own |= {"message_id", "dispatch_due_at", "dispatched_at"}
    for first, second in (rows, told):
        names = [field.attname for field in first._meta.concrete_fields if field.attname not in own]
        assert {name: getattr(first, name) for name in names} == {name: getattr(second, name) for name in names}
        assert type(first.id) is type(second.id) is int


def test_what_is_waited_for_has_one_index_beside_its_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA index_list({PendingReport._meta.db_table})")
        assert [name for _, name, *_ in cursor.fetchall()] == ["messente_dlr_due"]
        cursor.execute(f"PRAGMA foreign_key_list({PendingReport._meta.db_table})")
        assert [table for _, _, table, *_ in cursor.fetchall()] == [SmsMessage._meta.db_table]
