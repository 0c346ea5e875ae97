"""Carries out what a report does to its message: one conditional UPDATE, and the account's credit hold with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django_messente_dlr import accounts
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.lookup import messages, missing_ids, pending
from django_messente_dlr.receiving.transitions import Transition, decide
from django_messente_dlr.utils.poll_schedule import first_poll_at


class ConcurrentUpdate(Exception):
    """The row is not any more what the decision was made on."""


def apply_report(row: DeliveryReport, message: SmsMessage, report: Report, *, now: datetime) -> list[str]:
    """Let a report do to its message what it does, note that on its row, and return the signals that tell of it.

    Must run inside a transaction that is undone if it raises.

    Args:
        row: the report's row, saved or not; the caller saves it.
        message: the message as `lookup.find_message` returned it.
        report: what was said.
        now: the present.

    Raises:
        ConcurrentUpdate: the message has changed since it was read.
        ReportNotForMessage: the report tells an id that is another message's.
    """
    status = Status(row.status) if row.status else None
    transition = decide(message, report, status, now=now)
    ids = missing_ids(message, report)
    changes = {**transition.changes, **ids}
    expected = {**transition.expected, **{name: getattr(message, name) for name in ids}}
    if changes and not messages().filter(pk=message.pk, **_lookups(expected)).update(**changes):
        raise ConcurrentUpdate
    if transition.ends_waiting:
        pending().filter(pk=message.pk).delete()
    elif ids:
        poll_no_later_than(message.pk, first_poll_at(now))
    row.message = message
    row.outcome = transition.outcome
    row.previous = transition.previous.value if transition.previous else ""
    # A message that was tracked late was sent before its report came, whatever its row says.
    sent_at = min(message.sent_at or message.created_at, row.received_at)
    return [*transition.signals, *_credit_signals(transition, message, status, sent_at=sent_at, now=now)]


def poll_no_later_than(pk: int, at: datetime) -> None:
    """Have Messente asked about a message no later than at a time, if its report is still waited for.

    As long as it had no id, nobody could ask, and it was put off for as long as it may have none.

    Args:
        pk: the message's primary key.
        at: the time.
    """
    pending().filter(pk=pk, due_at__gt=at).update(due_at=at)


def _credit_signals(
    transition: Transition, message: SmsMessage, status: Status | None, *, sent_at: datetime, now: datetime
) -> list[str]:
    if transition.cause is ErrorCode.OUT_OF_CREDITS:
        return ["credits_exhausted"] if accounts.start_hold(message.account, sent_at=sent_at, now=now) else []
    delivered = transition.outcome is ReportOutcome.ADVANCED and status is not None and status.is_delivery
    hold_since: datetime | None = getattr(message, "hold_since", None)
    if delivered and hold_since and sent_at > hold_since:
        return ["credits_restored"] if accounts.end_hold(message.account, sent_at=sent_at, now=now) else []
    return []


def _lookups(expected: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}__isnull" if value is None else name: True if value is None else value
        for name, value in expected.items()
    }
