"""Writes a report down: its row, what it does to its message, and what is to be sent after the commit."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.callbacks.key_fingerprints import NO_KEYS, KeyFingerprints
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import fast_path
from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_report, poll_no_later_than
from django_messente_dlr.receiving.lookup import ReportTarget, find_message, messages, pending
from django_messente_dlr.receiving.orphans import count_duplicate, match_orphan, match_orphans_of
from django_messente_dlr.utils import db_retry

# The rank can only rise, and there are seven of them: whoever lost so many races is not racing.
ATTEMPTS = 8


class WriteConflict(Exception):
    """The message kept changing while its report was being written. Nothing was written; try again."""


class RecordResult(enum.Enum):
    """Whether a report was written, or had been before."""

    CREATED = "new"
    DUPLICATE = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A report on its way into the ledger."""

    report: Report
    status: Status | None
    address: ReportTarget
    fingerprint: str
    now: datetime
    keys: KeyFingerprints


def record(
    report: Report, *, account: str, message_pk: int | None = None, keys: KeyFingerprints = NO_KEYS
) -> RecordResult:
    """Write down what Messente said, move its message if that is news, and have the signals sent after the commit.

    Args:
        report: what was said.
        account: the account that it is about; whoever calls has verified that.
        message_pk: the primary key of the message that it is about, where that is known otherwise than by its id.
        keys: by which keys that was verified, where it was called back.

    Raises:
        ReportNotForMessage: its message belongs to another account, or ``message_pk`` is not the message with its id.
        WriteConflict: it could not be written for other writers, and should come again.
    """
    # Where there is an id, it alone counts: the same report may come by a message's URL and by the account's.
    scope = [account] if report.sms_unique_id or report.omnimessage_id else [account, message_pk]
    fingerprint = report.fingerprint(*scope)
    return _record(
        report, Status.from_report(report), account=account, message_pk=message_pk, fingerprint=fingerprint, keys=keys
    )


def record_final(message: SmsMessage, report: Report, status: Status) -> RecordResult:
    """Write down an end that is ours to conclude: Messente refused the message, or told nothing for 48 hours.

    Args:
        message: the message.
        report: why, in its ``payload`` and ``error_text``.
        status: the end.
    """
    fingerprint = report.fingerprint(message.account, message.pk, status.value)
    return _record(report, status, account=message.account, message_pk=message.pk, fingerprint=fingerprint)


def confirm_sent(message: SmsMessage, *, next_poll_at: datetime, sent_at: datetime, **ids: Any) -> None:
    """Write down that Messente has taken a message, and match what it had reported before.

    Args:
        message: the message; its attributes follow what is written.
        next_poll_at: when to ask about it first.
        sent_at: when Messente sends it, from which on it keeps its reports for 48 hours.
        ids: what Messente calls it (``sms_unique_id``, ``omnimessage_id``), and what else its answer tells.
    """
    using = router.db_for_write(SmsMessage)
    with transaction.atomic(using=using):
        rows = messages().filter(pk=message.pk)
        sent = {"status": Status.SENT.value, "rank": Status.SENT.rank}
        # A report may have overtaken the answer: then there is more to know than that it was sent.
        if rows.filter(rank=Status.QUEUED.rank).update(**sent, **ids, sent_at=sent_at):
            # The project may have entered its row by itself.
            if not pending().filter(pk=message.pk).update(due_at=next_poll_at):
                pending().create(message=message, account=message.account, due_at=next_poll_at)
        else:
            rows.update(**ids, sent_at=sent_at)
            poll_no_later_than(message.pk, next_poll_at)
            if rows.filter(rank=Status.UNRESOLVED.rank).exists():  # given up before it was sent: too early
                pending().get_or_create(pk=message.pk, defaults={"account": message.account, "due_at": next_poll_at})
        for name, value in ids.items():
            setattr(message, name, value)
        transaction.on_commit(lambda: match_orphans_of(message), using=using, robust=True)
    message.refresh_from_db(using=using)


def _record(
    report: Report,
    status: Status | None,
    *,
    account: str,
    message_pk: int | None,
    fingerprint: str,
    keys: KeyFingerprints = NO_KEYS,
) -> RecordResult:
    address = ReportTarget.of(report, account=account, message_pk=message_pk)
    entry = _Entry(
        report=report, status=status, address=address, fingerprint=fingerprint, now=timezone.now(), keys=keys
    )
    return db_retry.retry_on_contention(lambda: _enter(entry), using=router.db_for_write(DeliveryReport))


def _enter(entry: _Entry) -> RecordResult:
    if fast_path.try_write(entry.report, entry.status, entry.address, columns=_columns(entry), now=entry.now):
        return RecordResult.CREATED
    for attempt in range(ATTEMPTS):
        try:
            _write(entry, lock=attempt > 0)
        except ConcurrentUpdate:
            continue
        except IntegrityError:
            if count_duplicate(entry.fingerprint, message_pk=entry.address.message_pk):
                return RecordResult.DUPLICATE
            # Not the fingerprint: its message was deleted, or its id taken by another, a moment ago.
            continue
        return RecordResult.CREATED
    raise WriteConflict(f"The message of a report about {entry.address.account} kept changing.")


def _write(entry: _Entry, *, lock: bool) -> None:
    # Without a lock first: the read is outside the transaction, whose UPDATE then finds the row unchanged, or not.
    message = None if lock else find_message(entry.address)
    using = router.db_for_write(DeliveryReport)
    with db_retry.bounded_transaction(using):
        if lock:
            message = find_message(entry.address, lock=True)
        row = DeliveryReport(**_columns(entry))
        if message is None:
            row.outcome = ReportOutcome.ORPHAN
            row.token_message_id = entry.address.message_pk
            row.signals = ["dlr_received"]
        else:
            signals = apply_report(row, message, entry.report, now=entry.now)
            row.signals = ["dlr_received", *signals]
        heard = dispatch.has_receivers(row.signals)
        for name, value in dispatch.dispatch_fields(now=entry.now, has_receivers=heard).items():
            setattr(row, name, value)
        row.save(using=using, force_insert=True)
        if heard:
            dispatch.dispatch_on_commit(row)
        if message is None:
            # Its message may have been committed between our look and our commit.
            transaction.on_commit(lambda: match_orphan(row), using=using, robust=True)


def _columns(entry: _Entry) -> dict[str, Any]:
    """Return what a report's row says, whatever it does to its message."""
    return {
        "account": entry.address.account,
        "sms_unique_id": entry.report.sms_unique_id,
        "omnimessage_id": entry.report.omnimessage_id,
        "source": entry.report.source.value,
        "stat": entry.report.stat,
        "status": entry.status.value if entry.status else "",
        "err": entry.report.err,
        "occurred_at": to_db_datetime(entry.report.occurred_at),
        "received_at": entry.now,
        "payload": dict(entry.report.payload),
        "fingerprint": entry.fingerprint,
        "url_key": entry.keys.url,
        "signature_key": entry.keys.signature,
    }


def to_db_datetime(moment: datetime | None) -> datetime | None:
    """Return a time in UTC as the project's databases take it: naive and local where USE_TZ is off."""
    return timezone.make_naive(moment) if moment and not settings.USE_TZ else moment
