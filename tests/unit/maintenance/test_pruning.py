"""Pruning while reports come: a report that is written meanwhile is kept, and its signals are sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, models
from django.utils import timezone
from shop.models import Order

from django_messente_dlr import dispatch
from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sending import track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import run_on_other_connection
from tests.locking import GENEROUS, wait_until_lock_wait
from tests.unit.maintenance.interfering import just_before

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time"),
]
OLD = timezone.now() - timedelta(days=100)
BEFORE = timezone.now() - timedelta(days=90)


def undispatched(work: Callable[[], object]) -> None:
    """Call ``work`` as a process that dies before it sends the signals."""
    with mock.patch.object(dispatch.send, "dispatch_report"):
        run_on_other_connection(work)


def test_prune_messages__report_comes_first(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=OLD)
    with just_before("FOR UPDATE", lambda: undispatched(lambda: simulate_callback(message))):
        assert prune_messages(BEFORE).deleted == 0
    assert SmsMessage.objects.get().status == "delivered"
    dispatch.dispatch_overdue(timezone.now() + timedelta(hours=1))
    assert "dlr_delivered" in dlr_signals.names
    assert prune_messages(BEFORE).deleted == 0  # it has ended just now
    assert prune_messages(timezone.now()).deleted == 1
    assert not DeliveryReport.objects.exists()


def test_prune_messages__report_comes_during_deletion(dlr_signals: SignalLog) -> None:
    message = SmsMessageFactory.create(status="unresolved", created_at=OLD)
    with ThreadPoolExecutor(1) as pool:

        def submit_callback() -> None:
            futures.append(pool.submit(run_on_other_connection, lambda: simulate_callback(message)))
            wait_until_lock_wait()

        futures: list[Any] = []
        with just_before('DELETE FROM "django_messente_dlr_smsmessage"', submit_callback):
            assert prune_messages(BEFORE).deleted == 1
        futures[0].result(GENEROUS)
    report = DeliveryReport.objects.get()
    assert (report.message, report.outcome, report.token_message_id) == (None, "orphan", message.pk)
    assert dlr_signals.names == ["dlr_received"]


def test_prune_messages__is_protected_meanwhile() -> None:
    """The project inserts a row that protects a message, after the protection was read."""
    message, _ = SmsMessageFactory.create_batch(2, status="delivered", created_at=OLD)
    field = Order._meta.get_field("message").remote_field

    def order() -> None:
        run_on_other_connection(lambda: Order.objects.create(message=message))

    with mock.patch.object(field, "on_delete", models.PROTECT), just_before("FOR UPDATE", order):
        result = prune_messages(BEFORE)
    assert (result.deleted, result.protected) == (1, {"shop.Order": 1})
    assert SmsMessage.objects.get() == message


def test_prune_orphans__orphan_is_matched_during_deletion(dlr_signals: SignalLog) -> None:
    """The match waits for the deletion. The report is deleted, and the message is not changed."""
    DeliveryReportFactory.create(message=None, sms_unique_id="an-id", received_at=OLD, outcome="orphan")
    with ThreadPoolExecutor(1) as pool:

        def submit_match() -> None:
            futures.append(pool.submit(run_on_other_connection, lambda: track_sms("an-id", sent_at=OLD)))
            wait_until_lock_wait()

        futures: list[Any] = []
        with just_before('DELETE FROM "django_messente_dlr_deliveryreport"', submit_match):
            assert prune_orphans(BEFORE).deleted == 1
        futures[0].result(GENEROUS)
    assert SmsMessage.objects.get().status == "sent"
    assert dlr_signals.names == []


def test_prune_orphans__orphan_is_matched_meanwhile(dlr_signals: SignalLog) -> None:
    DeliveryReportFactory.create(message=None, sms_unique_id="an-id", received_at=OLD, outcome="orphan")
    with just_before("FOR UPDATE", lambda: undispatched(lambda: track_sms("an-id", sent_at=OLD))):
        assert prune_orphans(BEFORE).deleted == 0
    assert SmsMessage.objects.get().status == "delivered"
    dispatch.dispatch_overdue(timezone.now() + timedelta(hours=1))
    assert "dlr_delivered" in dlr_signals.names
