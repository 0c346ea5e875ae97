"""The end of every run: what a process that died has left undone is done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport
from django_messente_dlr.polling import Poller
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog

pytestmark = pytest.mark.django_db(transaction=True)
OVERDUE = timezone.now() - timedelta(minutes=1)


def test_signals_that_a_dead_process_left_unsent_are_sent_once(dlr_signals: SignalLog) -> None:
    report = DeliveryReportFactory.create(dispatch_due_at=OVERDUE, dispatched_at=None)
    assert Poller().run().dispatched == 1
    assert dlr_signals == [("dlr_received", {"message": report.message, "report": report})]
    report.refresh_from_db()
    assert report.dispatched_at is not None
    assert Poller().run().dispatched == 0


def test_signals_that_somebody_is_just_sending_are_left_to_them(dlr_signals: SignalLog) -> None:
    DeliveryReportFactory.create(dispatch_due_at=timezone.now() + timedelta(minutes=1), dispatched_at=None)
    assert Poller().run().dispatched == 0
    assert dlr_signals == []


def test_a_restored_credit_that_a_dead_process_did_not_tell_of_is_told(dlr_signals: SignalLog) -> None:
    AccountFactory.create(restored_dispatch_due_at=OVERDUE)
    Poller().run()
    Poller().run()
    assert dlr_signals == [("credits_restored", {"account": "default", "message": None, "report": None})]


def test_an_orphan_whose_message_is_known_by_now_is_matched() -> None:
    message = SmsMessageFactory.create()
    orphan = DeliveryReportFactory.create(message=None, sms_unique_id=message.sms_unique_id)
    assert Poller().run().matched == 1
    assert DeliveryReport.objects.get(pk=orphan.pk).message == message
    message.refresh_from_db()
    assert message.status == "delivered"
