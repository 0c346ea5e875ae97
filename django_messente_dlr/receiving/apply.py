"""Apply a report to its message: one conditional UPDATE, and the start or end of the account's credit hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import router

from django_messente_dlr import accounts
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import DeliveryReport, QueuedMessage, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import channels
from django_messente_dlr.receiving.lookup import ReportTarget, messages, missing_ids, pending, reports
from django_messente_dlr.receiving.transitions import Transition, decide, is_out_of_credits
from django_messente_dlr.utils.number_patterns import contains_number, map_texts, replace_numbers
from django_messente_dlr.utils.poll_schedule import first_poll_at


class ConcurrentUpdate(Exception):
    """The message was changed after it was read, so the transition that was decided is not valid."""


def apply_report(row: DeliveryReport, message: SmsMessage, report: Report, *, now: datetime) -> list[str]:
    """Apply a report to its message, set the result on the report's row, and return the names of its signals.

    Call it inside a transaction that is rolled back if it raises. If the number of the message was erased, the report
    is stored without numbers. After the failure of one channel, call `channels.end_if_all_failed` for the saved row.

    Args:
        row: the report's row, saved or not. The caller saves it.
        message: the message as `lookup.find_message` returned it, with its lock if it has several channels.
        report: the report.
        now: the current time.

    Raises:
        ConcurrentUpdate: the message has changed since it was read.
        ReportNotForMessage: the report contains an id that belongs to another message.
    """
    if message.is_erased:
        report = _without_numbers(report, message.recipient)
        row.payload = dict(report.payload)
    status = Status(row.status) if row.status else None
    transition = _decide(message, report, status, now=now)
    ids = missing_ids(message, report)
    changes = {**transition.changes, **ids}
    expected = {**transition.expected, **{name: getattr(message, name) for name in ids}}
    if changes and message.is_prepared and report.source is not Source.SEND:
        changes["send_at"] = now  # another client has sent it and has not called mark_sent yet
    expected["recipient"] = message.recipient  # it may have been erased meanwhile, and the report contain it
    unchanged = messages().filter(pk=message.pk, **_lookups(expected))
    if changes and not unchanged.update(**changes):
        raise ConcurrentUpdate
    # Without the lock, the number could be erased between this read and the commit of the report.
    if not changes and contains_number(row.payload) and unchanged.select_for_update().only("pk").first() is None:
        raise ConcurrentUpdate
    if changes and message.rank == Status.QUEUED.rank and leave_queue(message.pk) and not transition.ends_polling:
        first_poll = {"account": message.account, "due_at": first_poll_at(now)}
        pending().get_or_create(pk=message.pk, defaults=first_poll)
    if transition.ends_polling:
        pending().filter(pk=message.pk).delete()
    elif ids:
        poll_no_later_than(message.pk, first_poll_at(max(now, message.send_at or now)))
    row.message = message
    row.outcome = transition.outcome
    row.previous = transition.previous.value if transition.previous else ""
    return [*transition.signals, *_credit_signals(row, message, report, now=now)]


def apply_orphan(row: DeliveryReport, report: Report, target: ReportTarget) -> list[str]:
    """Set the result of a report whose message is unknown on the report's row, and return the names of its signals.

    Call it inside a transaction that is rolled back if the report is a duplicate.

    Args:
        row: the report's row, not saved.
        report: the report.
        target: the message that the report is about.
    """
    row.outcome = ReportOutcome.ORPHAN
    row.token_message_id, row.token_created_at = target.message_key or (None, None)
    status = Status(row.status) if row.status else None
    # A report at the URL of a message starts a hold when it is matched, as a message starts only one. While the
    # message is unknown, or if it is deleted, reports with different ids could start any number.
    if target.message_key is not None or not is_out_of_credits(report, status):
        return []
    return _start_hold(target.account, sent_at=row.received_at, now=row.received_at)


def poll_no_later_than(pk: int, at: datetime) -> None:
    """Make the next poll of a pending message due at a time, unless it is due earlier.

    A message without an id cannot be polled, so its poll was postponed. Now that the id is known, it can be polled.

    Args:
        pk: the message's primary key.
        at: the latest time of the next poll.
    """
    pending().filter(pk=pk, due_at__gt=at).update(due_at=at)


def leave_queue(pk: int) -> bool:
    """Delete the row of a message in the send queue, and return whether it had one.

    Whatever a report or a response states about the message, the queue must not send it any more: Messente has it, or
    it is refused or cancelled.

    Args:
        pk: the message's primary key.
    """
    queued = QueuedMessage.objects.using(router.db_for_write(QueuedMessage)).filter(pk=pk)
    return bool(queued.delete()[0])


def _decide(message: SmsMessage, report: Report, status: Status | None, *, now: datetime) -> Transition:
    if status is None or not channels.has_several(message, report):
        return decide(message, report, status, now=now)
    if status.is_failure:
        return channels.decide_failure(message, report)
    return channels.with_own_details(message, report, decide(message, report, status, now=now))


def _without_numbers(report: Report, pseudonym: str) -> Report:
    """Return a report about an erased message with the pseudonym in place of each phone number.

    The erased number is not known any more, so everything is replaced that looks like a phone number.
    """

    def erase(text: str) -> str:
        return text if text in ids else replace_numbers(text, lambda spelling, code: pseudonym)

    ids = {report.sms_unique_id, report.omnimessage_id}
    payload = map_texts(dict(report.payload), erase)
    if "to" in payload:  # Omnichannel: the recipient, however short
        payload["to"] = pseudonym
    return replace(report, error_text=erase(report.error_text)[:255], payload=payload)


def _credit_signals(row: DeliveryReport, message: SmsMessage, report: Report, *, now: datetime) -> list[str]:
    """Start or end the account's credit hold, as the report requires; return the names of the signals for it.

    Whatever else the report changes, its ``err`` decides: a message that was rejected for another cause may get err 4
    later. A message that was delivered had credit, and a message starts one hold at most, with its first err 4.
    """
    status = Status(row.status) if row.status else None
    hold_since: datetime | None = getattr(message, "hold_since", None)
    # A message that was tracked after its report had arrived has a sent_at later than the report. It was sent before.
    sent_at = min(message.sent_at or message.created_at, row.received_at)
    if is_out_of_credits(report, status):
        earlier = reports().filter(message=message, err=ErrorCode.OUT_OF_CREDITS).exclude(pk=row.pk)
        if hold_since or Status(message.status).is_delivery or earlier.exists():
            return []
        return _start_hold(message.account, sent_at=sent_at, now=now)
    delivered = row.outcome == ReportOutcome.ADVANCED and status is not None and status.is_delivery
    if delivered and hold_since and sent_at > hold_since:
        return ["credits_restored"] if accounts.end_hold(message.account, sent_at=sent_at, now=now) else []
    return []


def _start_hold(account: str, *, sent_at: datetime, now: datetime) -> list[str]:
    return ["credits_exhausted"] if accounts.start_hold(account, sent_at=sent_at, now=now) else []


def _lookups(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `filter` for columns that have these values, NULL among them."""
    return {
        f"{name}__isnull" if value is None else name: True if value is None else value
        for name, value in expected.items()
    }
