"""Pruning while reports come: a report that is written meanwhile is kept, and its signals are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import elsewhere
from tests.locking import GENEROUS, wait_until_somebody_waits

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]
OLD = timezone.now() - timedelta(days=100)
BEFORE = timezone.now() - timedelta(days=90)


@contextmanager
def just_before(statement: str, work: Callable[[], object]) -> Iterator[None]:
    """Call ``work`` directly before the first statement of this connection that contains ``statement``."""
    matches: list[str] = []

    def wrapper(execute: Any, sql: str, *arguments: Any) -> Any:
        if statement in sql.replace("`", '"') and not matches:
            matches.append(statement)
            work()
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        yield
    assert matches


def undispatched(work: Callable[[], object]) -> None:
    """Call ``work`` as a process that dies before it sends the signals."""
    with mock.patch.object(dispatch, "dispatch_report"):
        elsewhere(work)


def test_prune_messages__report_comes_first(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=OLD)
    with just_before("FOR UPDATE", lambda: undispatched(lambda: simulate_callback(message))):
        assert prune_messages(BEFORE) == 0
    assert SmsMessage.objects.get().status == "delivered"
    dispatch.dispatch_overdue(timezone.now() + timedelta(hours=1))
    assert "dlr_delivered" in dlr_signals.names
    assert prune_messages(BEFORE) == 1
    assert not DeliveryReport.objects.exists()


def test_prune_messages__report_comes_during_deletion(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=OLD)
    with ThreadPoolExecutor(1) as pool:

        def submit_callback() -> None:
            futures.append(pool.submit(elsewhere, lambda: simulate_callback(message)))
            wait_until_somebody_waits()

        futures: list[Any] = []
        with just_before('DELETE FROM "django_messente_dlr_deliveryreport"', submit_callback):
            assert prune_messages(BEFORE) == 1
        futures[0].result(GENEROUS)
    report = DeliveryReport.objects.get()
    assert (report.message, report.outcome, report.token_message_id) == (None, "orphan", message.pk)
    assert dlr_signals.names == ["dlr_received"]


def test_prune_orphans__orphan_is_matched_meanwhile(dlr_signals: SignalLog) -> None:
    DeliveryReportFactory.create(message=None, sms_unique_id="an-id", received_at=OLD, outcome="orphan")
    deleting = 'DELETE FROM "django_messente_dlr_deliveryreport"'
    with just_before(deleting, lambda: undispatched(lambda: track_sms("an-id", sent_at=OLD))):
        assert prune_orphans(BEFORE) == 0
    assert SmsMessage.objects.get().status == "delivered"
    dispatch.dispatch_overdue(timezone.now() + timedelta(hours=1))
    assert "dlr_delivered" in dlr_signals.names
