"""Reports of all channels of one message at the same moment end the message exactly once, at each isolation level."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from django_messente_dlr import receiving
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.testing.factories import SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.isolation import LEVELS, close_connection, isolated
from tests.locking import GENEROUS

pytestmark = pytest.mark.django_db(transaction=True)
CHANNELS = ("viber", "whatsapp", "rcs", "sms")
ROUNDS = 5


def record_at_once(message: SmsMessage, reports: list[Report]) -> None:
    """Record reports in one thread each. They all begin at the same moment."""
    barrier = threading.Barrier(len(reports))

    def run(report: Report) -> None:
        try:
            barrier.wait(GENEROUS)
            receiving.record(report, account=message.account, message_key=message.callback_key)
        finally:
            close_connection()

    with ThreadPoolExecutor(len(reports)) as pool:
        list(pool.map(run, reports))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="threads share the one connection to a database in memory")
@pytest.mark.parametrize("level", LEVELS.get(connection.vendor, {}))
@pytest.mark.parametrize("with_delivery", [False, True], ids=["all fail", "the last delivers"])
def test_record__all_channels_at_once(level: str, dlr_signals: SignalLog, *, with_delivery: bool) -> None:
    with isolated(level):
        for _ in range(ROUNDS):
            dlr_signals.clear()
            message = SmsMessageFactory.create(
                several_channels=True,
                channel_count=len(CHANNELS),
                channels=[{"channel": name, "message_id": f"{name}-id"} for name in CHANNELS],
            )
            reports = [
                Report(
                    source=Source.OMNICHANNEL,
                    sms_unique_id=f"{name}-id",
                    omnimessage_id=message.omnimessage_id,
                    stat="DELIVRD" if with_delivery and name == "sms" else "UNDELIV",
                    channel=name,
                    payload={"channel": name},
                )
                for name in CHANNELS
            ]
            record_at_once(message, reports)
            message.refresh_from_db()
            assert (message.status, message.channel) == ("delivered" if with_delivery else "failed", "sms")
            assert message.reports.count() == len(CHANNELS)
            counts = Counter(dlr_signals.names)
            assert (counts["dlr_delivered"], counts["dlr_failed"]) == ((1, 0) if with_delivery else (0, 1))
            assert not PendingPoll.objects.filter(message=message).exists()
            message.delete()
