"""What a report does to a message: decided here from what both say, without touching the database.

In come a message as it was read and a report with its Status; out comes a `Transition`: what to change, on which
condition, and which signals tell of it. `receiving` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status

# err 4 is not here: it is the account's matter, and its signals come once an outage.
CAUSE_SIGNALS = {
    ErrorCode.IDENTICAL_MESSAGES: "identical_messages_blocked",
    ErrorCode.SENDER_NOT_ALLOWED: "sender_not_allowed",
    ErrorCode.TEMPORARY: "temporary_failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a report does to its message.

    Attributes:
        outcome: what to note on the report.
        previous: the message's status before, where it advances.
        changes: the message's columns to set.
        expected: what the message's row must still say for ``changes`` to be right.
        ends_waiting: whether no more is waited for from now on.
        signals: the names of the signals to send.
        cause: the cause of failure that this report has made known.
    """

    outcome: ReportOutcome
    previous: Status | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    ends_waiting: bool = False
    signals: tuple[str, ...] = ()
    cause: ErrorCode | None = None


def decide(message: SmsMessage, report: Report, status: Status | None, *, now: datetime) -> Transition:
    """Return what ``report``, which amounts to ``status``, does to ``message``."""
    if status is None:
        return Transition(outcome=ReportOutcome.UNREADABLE)
    if status.rank > message.rank:
        return _advance(message, report, status, now=now)
    if status.rank == message.rank:
        return _enrich(message, report, status)
    return Transition(outcome=ReportOutcome.STALE)


def _advance(message: SmsMessage, report: Report, status: Status, *, now: datetime) -> Transition:
    previous = Status(message.status)
    cause = ErrorCode.from_code(report.err) if status.is_failure else None
    changes: dict[str, Any] = {
        "status": status.value,
        "rank": status.rank,
        "stat": report.stat,
        "err": report.err,
        "error_text": report.error_text,
        **{name: told for name, told in _extras(report).items() if getattr(message, name) is None},
    }
    if report.channel:
        changes["channel"] = report.channel
    # What was seen had been delivered before: that was when it was final.
    if status.is_final and not previous.is_delivery:
        changes["finalised_at"] = now
    return Transition(
        outcome=ReportOutcome.ADVANCED,
        previous=previous,
        changes=changes,
        expected={"rank": message.rank},
        ends_waiting=_is_end(message, report, status, previous=previous),
        signals=("dlr_status_changed", *_status_signals(previous, status), *_cause_signals(cause)),
        cause=cause,
    )


def _enrich(message: SmsMessage, report: Report, status: Status) -> Transition:
    """Add what the message lacks, and change nothing that is there."""
    changes: dict[str, Any] = {}
    if status.is_failure and not message.err and report.err:
        changes["err"] = report.err
    if report.error_text and not message.error_text:
        changes["error_text"] = report.error_text
    changes |= {name: told for name, told in _extras(report).items() if getattr(message, name) is None}
    if not changes:
        return Transition(outcome=ReportOutcome.STALE)
    cause = ErrorCode.from_code(report.err) if "err" in changes else None
    return Transition(
        outcome=ReportOutcome.ENRICHED,
        changes=changes,
        expected={"rank": message.rank, **{name: getattr(message, name) for name in changes}},
        signals=_cause_signals(cause),
        cause=cause,
    )


def _is_end(message: SmsMessage, report: Report, status: Status, *, previous: Status) -> bool:
    """Tell whether nothing more is waited for after ``status``."""
    if status.is_failure and message.sms_unique_id is None and (message.omnimessage_id or report.omnimessage_id):
        return False  # of one channel; it may yet be delivered by another, and whoever asks hears of all of them
    return status.rank >= Status.UNRESOLVED.rank and not previous.is_delivery


def _extras(report: Report) -> dict[str, Any]:
    told = {"price": report.price, "parts": report.parts}
    return {name: value for name, value in told.items() if value is not None}


def _status_signals(previous: Status, status: Status) -> list[str]:
    names = []
    if status.is_delivery and not previous.is_delivery:
        names.append("dlr_delivered")
    if status is Status.SEEN:
        names.append("dlr_seen")
    if status.is_failure and not previous.is_failure:
        names.append("dlr_failed")
    if status is Status.UNRESOLVED:
        names.append("dlr_unresolved")
    return names


def _cause_signals(cause: ErrorCode | None) -> tuple[str, ...]:
    name = CAUSE_SIGNALS.get(cause) if cause else None
    return (name,) if name else ()
