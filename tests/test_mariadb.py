"""MariaDB's block: what is locked goes the long way, and what fails in it is undone and told."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.db.models import Value
from django.db.models.functions import Repeat

from django_messente_dlr import crowd, dispatch, plans
from django_messente_dlr.ledger import mariadb, straight
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.notes import Note
from django_messente_dlr.testing.callbacks import call_back
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.locking import GENEROUS, Other, wait_until_somebody_waits

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's own"),
]


@pytest.fixture(params=[0, plans.USES_BEFORE_PREPARING], autouse=True)
def _prepared_or_not(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "USES_BEFORE_PREPARING", request.param)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What came of each report on the straight way."""
    told: list[Any] = []

    def write(*args: Any, **options: Any) -> Any:
        told.append(mariadb.write(*args, **options))
        return told[-1]

    monkeypatch.setitem(straight.WRITERS, "mysql", write)
    return told


def lock(pk: Any) -> object:
    return SmsMessage.objects.select_for_update().get(pk=pk)


def test_a_message_that_somebody_else_has_locked_is_waited_for_on_the_long_way(
    written: list[Any], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()

    def change() -> object:
        wait_until_somebody_waits()
        return SmsMessage.objects.filter(pk=message.pk).update(metadata={"order": 18})

    other = Other(lambda: lock(message.pk), change)
    other.start()
    assert other.holds.wait(GENEROUS)
    other.may_go_on.set()
    assert call_back(message).status_code == 200
    other.finish()
    assert written == [False]
    told = dlr_signals.arguments("dlr_delivered")["message"]
    assert (told.status, told.metadata) == ("delivered", {"order": 18})
    assert message.reports.get().outcome == "advanced"


@pytest.mark.parametrize("heard", [True, False])
def test_a_message_that_is_not_committed_yet_is_not_waited_for(
    written: list[Any], request: pytest.FixtureRequest, *, heard: bool
) -> None:
    if heard:
        request.getfixturevalue("dlr_signals")
    made: list[SmsMessage] = []
    other = Other(lambda: made.append(SmsMessageFactory.create()), lambda: None)
    other.start()
    assert other.holds.wait(GENEROUS)
    assert call_back(made[0]).status_code == 200
    report = DeliveryReport.objects.exclude(account="other").get()
    assert (written, report.outcome) == ([False], "orphan")
    other.may_go_on.set()
    other.finish()


def test_a_report_that_another_transaction_keeps_from_its_end_is_undone_and_written_again(
    written: list[Any], dlr_signals: SignalLog
) -> None:
    earlier, message = DeliveryReportFactory.create(), SmsMessageFactory.create()
    note = Note(earlier.pk, earlier.dispatch_due_at, earlier.received_at)
    with connection.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 1")
    other = Other(lambda: DeliveryReport.objects.select_for_update().get(pk=earlier.pk), lambda: None)
    other.start()
    assert other.holds.wait(GENEROUS)
    with mock.patch.object(crowd.Crowd, "hand_out", return_value=[note]):
        assert call_back(message).status_code == 200
    other.may_go_on.set()
    other.finish()
    assert written == [False]
    assert message.reports.get().outcome == "advanced"
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    connection.close()


def test_signals_of_a_message_that_is_too_long_for_one_array_are_sent_by_the_sweep(
    written: list[Any], dlr_signals: SignalLog
) -> None:
    message = SmsMessageFactory.create()
    SmsMessage.objects.filter(pk=message.pk).update(text=Repeat(Value('"'), 10_000_000))
    assert call_back(message).status_code == 200
    report = message.reports.get()
    assert (written, dlr_signals.names, report.outcome) == ([True], [], "advanced")
    assert report.dispatch_due_at is not None
    assert dispatch.sweep(report.dispatch_due_at) == 1
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]


def test_another_trouble_is_told_and_nothing_is_written() -> None:
    message = SmsMessageFactory.create()
    with mock.patch.object(mariadb, "execute", side_effect=OperationalError):
        assert call_back(message).status_code == 503
    assert not message.reports.exists()
