"""Failures of a message that stands for several channels of an omnimessage.

Messente tries the channels one after the other. The failure of one channel is stored as a report with the outcome
"channel_failed" and does not change the message's status. The message has failed when all of its channels have. The
report of the last channel in the order of sending then decides the status, the cause and the price.

The failures are counted under the lock of the message's row, so that two reports at the same time end it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import router
from django.db.models import F
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.lookup import messages, pending, reports, restored_report
from django_messente_dlr.receiving.transitions import Transition, decide
from django_messente_dlr.utils import db_retry

FAILURES = [status.value for status in Status if status.is_failure]


def has_several(message: SmsMessage, report: Report | None = None) -> bool:
    """Return whether a message stands for several channels, or may do so.

    Args:
        message: the message. Without an id of its own it stands for a whole omnimessage.
        report: a report about it, which may be the first that names the omnimessage.
    """
    is_omnimessage = bool(message.omnimessage_id or (report and report.omnimessage_id))
    return is_omnimessage and message.sms_unique_id is None and message.channel_count != 1


def decide_failure(message: SmsMessage, report: Report) -> Transition:
    """Return the effect of the failure of one channel on its message.

    Args:
        message: the message, whose row is locked.
        report: the report of the failure.
    """
    is_repeated = any(_channel_of(row) == _channel(report) for row in _failures(message))
    if is_repeated or message.rank > Status.REJECTED.rank:
        return Transition(outcome=ReportOutcome.STALE)
    return Transition(
        outcome=ReportOutcome.CHANNEL_FAILED,
        # The row is written although nothing changes. With REPEATABLE READ on PostgreSQL, a transaction that waited
        # for its lock does not see the report of the one before, and is repeated because the row was changed.
        changes={"rank": F("rank")},
        expected={"rank": message.rank},
        signals=("dlr_channel_failed",),
    )


def end_if_all_failed(
    message: SmsMessage, *, now: datetime, listed: Sequence[str] | None = None
) -> DeliveryReport | None:
    """Record the failure of a message if all of its channels have failed; return the report that decided it, or None.

    Call it in a transaction that has locked the message's row. Dispatch the returned report after the commit.

    Args:
        message: the message as it is stored.
        now: the current time.
        listed: the ids of all channels' messages in the order of sending, as a poll lists them. None if the caller
            knows only what is stored.
    """
    if message.rank >= Status.FAILED.rank:
        return None
    failures = {_channel_of(row): row for row in reversed(_failures(message))}  # the first report of each channel
    count = 1 if message.sms_unique_id else message.channel_count or (len(listed) if listed else None)
    if count is None or len(failures) < count:
        return None
    order = [str(channel.get("message_id") or "") for channel in message.channels]
    order = order if any(order) else [*(listed or ())]
    row = max(failures.values(), key=lambda row: (_position(row.sms_unique_id, order), row.pk))
    report = restored_report(row)
    transition = with_own_details(message, report, decide(message, report, Status(row.status), now=now))
    changes = {**transition.changes, "channel_count": count}
    if not messages().filter(pk=message.pk, rank=message.rank).update(**changes):
        return None  # without row locks (SQLite), another report was faster
    pending().filter(pk=message.pk).delete()
    row.previous = message.status
    row.outcome = ReportOutcome.ADVANCED
    # Of a report that was dispatched before, dispatch sends only the signals before dlr_received.
    earlier = row.signals if row.dispatch_due_at else sorted(row.signals, key=lambda name: name != "dlr_received")
    row.signals = [*transition.signals, *earlier]
    if dispatch.has_receivers(transition.signals):
        # A new time: a process that is sending the earlier signals must not mark the new ones as sent.
        row.dispatch_due_at = dispatch.due_at(now)
    row.save(update_fields=["previous", "outcome", "signals", "dispatch_due_at"])
    return row


def dispatch_end(message: SmsMessage, arrived: DeliveryReport, *, now: datetime) -> None:
    """Record the end of a message after the failure of one channel, and send its signals after the commit.

    Args:
        message: the message, whose row is locked. Its status is the one before the report.
        arrived: the report's row, which is saved and whose own dispatch the caller has scheduled.
        now: the current time.
    """
    decisive = end_if_all_failed(message, now=now)
    # The dispatch of the report that has just arrived reads its row, and sends all signals.
    if decisive is not None and (decisive.pk != arrived.pk or arrived.dispatch_due_at is None):
        dispatch.dispatch_on_commit(decisive)


def settle_channels(message: SmsMessage, *, listed: Sequence[str] | None = None) -> bool:
    """End a message whose channels have all failed, if this is known only now; return whether it has ended.

    After `confirm_sent` the number of channels may be known, and after a poll all channels may be.

    Args:
        message: the message.
        listed: the ids of the channels' messages in the order of sending, if a poll has listed failures only.
    """
    using = router.db_for_write(SmsMessage)

    def settle() -> bool:
        with db_retry.bounded_transaction(using):
            row = messages().select_for_update().filter(pk=message.pk).first()
            if row is None:
                return False
            if (report := end_if_all_failed(row, now=timezone.now(), listed=listed)) is not None:
                dispatch.dispatch_on_commit(report)
            return report is not None or row.rank >= Status.FAILED.rank

    return db_retry.retry_on_contention(settle, using=using)


def with_own_details(message: SmsMessage, report: Report, transition: Transition) -> Transition:
    """Return a transition whose price and parts are those of the report's channel, not of another one.

    Args:
        message: a message of several channels, with the details of the channel that was reported last.
        report: the report.
        transition: its effect, which fills only details that are not stored.
    """
    if report.channel == message.channel:
        return transition
    if transition.outcome == ReportOutcome.ENRICHED:
        return Transition(outcome=ReportOutcome.STALE)
    if transition.outcome != ReportOutcome.ADVANCED:
        return transition
    return replace(transition, changes={**transition.changes, "price": report.price, "parts": report.parts})


def _failures(message: SmsMessage) -> list[DeliveryReport]:
    """Return the reports of failed channels in the order in which they were received."""
    rows = reports().filter(message=message, status__in=FAILURES).exclude(source=Source.SEND.value)
    if message.sms_unique_id:  # it was confirmed as the message of one channel
        rows = rows.filter(sms_unique_id=message.sms_unique_id)
    return list(rows.order_by("pk"))


def _channel_of(row: DeliveryReport) -> str:
    return row.sms_unique_id or str(row.payload.get("channel") or "")


def _channel(report: Report) -> str:
    return report.sms_unique_id or report.channel


def _position(message_id: str, order: Sequence[str]) -> int:
    """Return the place of a channel in the order of sending; -1 if it is not known."""
    return order.index(message_id) if message_id in order else -1
