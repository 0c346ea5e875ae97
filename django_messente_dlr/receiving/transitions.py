"""Decide what a report changes on its message, without access to the database.

`decide` takes a message as it was read and a report with its Status. It returns a `Transition`: the changes, the
condition on which they are valid, and the signals to send. `receiving.apply` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status

# err 4 (out of credits) is missing: it concerns the account, and its signals are sent once in each outage.
CAUSE_SIGNALS = {
    ErrorCode.IDENTICAL_MESSAGES: "identical_messages_blocked",
    ErrorCode.SENDER_NOT_ALLOWED: "sender_not_allowed",
    ErrorCode.TEMPORARY: "temporary_failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The effect of a report on its message.

    Attributes:
        outcome: the effect in one word, for the report's row.
        previous: the message's status before the report, if the report changes it.
        changes: the message's columns to set, with their values.
        expected: the values that the message's columns must still have when ``changes`` are written.
        ends_polling: whether no further report is expected, so that polling ends.
        signals: the names of the signals to send.
    """

    outcome: ReportOutcome
    previous: Status | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    ends_polling: bool = False
    signals: tuple[str, ...] = ()


def is_out_of_credits(report: Report, status: Status | None) -> bool:
    """Return whether a report reports that the account had no credit for its message.

    Args:
        report: the report.
        status: the Status of the report (`Status.from_report`), or None if it has none.
    """
    return report.err == ErrorCode.OUT_OF_CREDITS and not (status is not None and status.is_delivery)


def decide(message: SmsMessage, report: Report, status: Status | None, *, now: datetime) -> Transition:
    """Return the effect of a report on a message.

    Args:
        message: the message as it was read.
        report: the report.
        status: the Status of the report (`Status.from_report`), or None if it has none.
        now: the current time.
    """
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
        "stat": report.stat or message.stat,
        "err": _err_after(message, report, status),
        "error_text": report.error_text or (message.error_text if status.is_failure else ""),
        **_missing_price_and_parts(message, report),
    }
    if report.channel:
        changes["channel"] = report.channel
    # "seen" may follow "delivered". The message was final when it was delivered, and keeps that time.
    if status.is_final and not previous.is_delivery:
        changes["finalised_at"] = now
    return Transition(
        outcome=ReportOutcome.ADVANCED,
        previous=previous,
        changes=changes,
        expected={"rank": message.rank},
        ends_polling=status.rank >= Status.UNRESOLVED.rank and not previous.is_delivery,
        signals=("dlr_status_changed", *_status_signals(previous, status), *_cause_signals(cause)),
    )


def _enrich(message: SmsMessage, report: Report, status: Status) -> Transition:
    """Return a transition that sets only columns that are empty: the report has the rank of the message."""
    changes: dict[str, Any] = {}
    if report.stat and not message.stat:
        changes["stat"] = report.stat
    if status.is_failure and not message.err and report.err:
        changes["err"] = report.err
    if report.error_text and not message.error_text:
        changes["error_text"] = report.error_text
    changes |= _missing_price_and_parts(message, report)
    if not changes:
        return Transition(outcome=ReportOutcome.STALE)
    cause = ErrorCode.from_code(report.err) if "err" in changes else None
    return Transition(
        outcome=ReportOutcome.ENRICHED,
        changes=changes,
        expected={"rank": message.rank, **{name: getattr(message, name) for name in changes}},
        signals=_cause_signals(cause),
    )


def _err_after(message: SmsMessage, report: Report, status: Status) -> int | None:
    """Return the error code of a message: of a delivery only one that is no failure, else the last that is known."""
    if status.is_delivery:
        code = ErrorCode.from_code(report.err)
        return report.err if code in {ErrorCode.NO_ERROR, ErrorCode.SEEN} else None
    return message.err if report.err is None else report.err


def _missing_price_and_parts(message: SmsMessage, report: Report) -> dict[str, Any]:
    """Return the price and the number of parts that the report contains and the message does not have yet."""
    values = {"price": report.price, "parts": report.parts}
    return {name: value for name, value in values.items() if value is not None and getattr(message, name) is None}


def _status_signals(previous: Status, status: Status) -> list[str]:
    names = []
    if status.is_delivery and not previous.is_delivery:
        names.append("dlr_delivered")
    if status is Status.SEEN:
        names.append("dlr_seen")
    if status.is_failure and not previous.is_failure:
        names.append("dlr_failed")
    if status is Status.CANCELLED:
        names.append("dlr_cancelled")
    if status is Status.UNRESOLVED:
        names.append("dlr_unresolved")
    return names


def _cause_signals(cause: ErrorCode | None) -> tuple[str, ...]:
    name = CAUSE_SIGNALS.get(cause) if cause else None
    return (name,) if name else ()
