"""Compare the failures of single channels with the reports and signals of messages of several channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django_messente_dlr.models import SmsMessage
from tests.soak.day import Day
from tests.soak.lines import Line, exactly, none
from tests.soak.reports import Reports

FAILED_WORDS = {"UNDELIV", "FAILED", "EXPIRED", "REJECTD"}


def channels(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each message has all its channels, and that each failure of a channel is signalled as such."""
    planned = {planned.recipient: planned.channels for planned in day.planned}
    accepted: dict[str, tuple[str, ...]] = {}
    for message in day.messages:
        accepted[message.recipient] = (*accepted.get(message.recipient, ()), message.channel)
    yield none("messages with other channels than planned", planned.items() ^ accepted.items())
    rows = {str(row.pk): row for row in reports.rows}
    signalled = Counter(rows[pk].sms_unique_id for name, pk in day.signals if name == "dlr_channel_failed")
    failed = {message.message_id for message in day.messages if message.has_failed}
    # A delivery that was received first makes the failure of an earlier channel stale. So may each report of a
    # message that was delivered, as killed workers and simultaneous callbacks change the order.
    rows_of = SmsMessage.objects.in_bulk()
    delivered = {row.omnimessage_id for row in rows_of.values() if row.status in {"delivered", "seen"}}
    undelivered = {message.message_id for message in day.messages if day.id_of(message) not in delivered}
    yield exactly(
        "failed channels of messages that were not delivered, signalled",
        len(failed & undelivered),
        len(signalled.keys() & undelivered),
    )
    # A channel that failed and delivered later, or the other way round, has failed at some time, too.
    ever_failed = {m.message_id for m in day.messages if any(event.step.stat in FAILED_WORDS for event in m.events)}
    yield Line("failed channels signalled", len(failed & undelivered), len(ever_failed), len(signalled))
    yield none("channels signalled as failed that have not failed", signalled.keys() - ever_failed)
    yield none("channels signalled as failed by two reports", (key for key, times in signalled.items() if times > 1))
    ended = {rows_of[rows[pk].message_id].omnimessage_id for name, pk in day.signals if name == "dlr_failed"}
    yield none("delivered messages with dlr_failed", ended & delivered)
