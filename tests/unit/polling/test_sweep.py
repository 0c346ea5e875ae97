"""The sweep at the end of a run completes what a process that died has left undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.polling import Poller
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT

pytestmark = pytest.mark.django_db(transaction=True)
OVERDUE = timezone.now() - timedelta(minutes=1)


def test_run__dispatches_overdue_report_once(dlr_signals: SignalLog) -> None:
    report = DeliveryReportFactory.create(dispatch_due_at=OVERDUE, dispatched_at=None)
    assert Poller().run().dispatched == 1
    assert dlr_signals == [("dlr_received", {"message": report.message, "report": report})]
    report.refresh_from_db()
    assert report.dispatched_at is not None
    assert Poller().run().dispatched == 0


def test_run__leaves_dispatch_in_progress(dlr_signals: SignalLog) -> None:
    DeliveryReportFactory.create(dispatch_due_at=timezone.now() + timedelta(minutes=1), dispatched_at=None)
    assert Poller().run().dispatched == 0
    assert dlr_signals == []


def test_run__sends_overdue_credits_restored_once(dlr_signals: SignalLog) -> None:
    AccountFactory.create(restored_dispatch_due_at=OVERDUE)
    Poller().run()
    Poller().run()
    assert dlr_signals == [("credits_restored", {"account": "default", "message": None, "report": None})]


def test_run__matches_orphan() -> None:
    message = SmsMessageFactory.create()
    orphan = DeliveryReportFactory.create(message=None, sms_unique_id=message.sms_unique_id)
    assert Poller().run().matched == 1
    assert DeliveryReport.objects.get(pk=orphan.pk).message == message
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize(
    ("hours", "answer", "status"), [(1, "OK DELIVERED", "delivered"), (60, "ERROR 107", "unresolved")]
)
def test_run__polls_an_imported_message(settings: Any, hours: int, answer: str, status: str) -> None:
    """The first run creates its pending poll, and the second one polls it."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [FIRST]}
    sent_at = timezone.now() - timedelta(hours=hours)
    message = SmsMessage(account="default", sms_unique_id="an-id", status="sent", rank=10, created_at=sent_at)
    SmsMessage.objects.bulk_create([message])
    with Messente() as messente:
        messente.answer(FIRST, REPORT, answer)
        assert Poller().run().scheduled == 1
        assert Poller().run().asked == 1
    assert SmsMessage.objects.get().status == status
    assert not SmsMessage.objects.pending().exists()
