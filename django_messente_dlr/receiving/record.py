"""Record a report: insert its row, apply it to its message, and send its signals after the commit."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.callbacks import MessageKey
from django_messente_dlr.callbacks.key_fingerprints import NO_KEYS, KeyFingerprints
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving import fast_path
from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_orphan, apply_report
from django_messente_dlr.receiving.channels import dispatch_end, has_several
from django_messente_dlr.receiving.lookup import ReportNotForMessage, ReportTarget, find_message
from django_messente_dlr.receiving.orphans import count_duplicate, match_orphan
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import to_db_datetime

ATTEMPTS = 8  # more than there are ranks, which only rise: other reports cannot cause this many conflicts


class WriteConflict(Exception):
    """The message kept changing while the report was recorded. Nothing was stored; try again later."""


class RecordResult(enum.Enum):
    """Whether a report was stored by this call, or is a duplicate of a stored one."""

    CREATED = "new"
    DUPLICATE = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnsavedReport:
    """A report and what its row needs besides."""

    report: Report
    status: Status | None
    target: ReportTarget
    fingerprint: str
    now: datetime
    keys: KeyFingerprints


def record(
    report: Report, *, account: str, message_key: MessageKey | None = None, keys: KeyFingerprints = NO_KEYS
) -> RecordResult:
    """Store a report, change its message if the report has a higher rank, and send the signals after the commit.

    Args:
        report: the report.
        account: the account of the report. The caller has verified it.
        message_key: the message, if it is known from something else than the report's ids.
        keys: the fingerprints of the keys that verified the callback.

    Raises:
        ReportNotForMessage: the message belongs to another account, or has other ids than the report.
        WriteConflict: other writers kept changing the message. Nothing was stored; the report can be sent again.
    """
    # A report with an id has the same fingerprint at the message's callback URL and at the account's.
    scope: tuple[object, ...] = (account,)
    if message_key is not None and not (report.sms_unique_id or report.omnimessage_id):
        scope = (account, *_fingerprint_scope(message_key))
    return _record(
        report,
        Status.from_report(report),
        account=account,
        message_key=message_key,
        fingerprint=report.fingerprint(*scope),
        keys=keys,
    )


def record_final(message: SmsMessage, report: Report, status: Status) -> RecordResult:
    """Record a status without a report: such as a refusal of Messente, or no final report in time.

    Args:
        message: the message.
        report: a report made here, with the reason in its ``payload`` and ``error_text``.
        status: the new status.
    """
    message_key = message.callback_key
    fingerprint = report.fingerprint(message.account, *_fingerprint_scope(message_key), status.value)
    return _record(report, status, account=message.account, message_key=message_key, fingerprint=fingerprint)


def _record(
    report: Report,
    status: Status | None,
    *,
    account: str,
    message_key: MessageKey | None,
    fingerprint: str,
    keys: KeyFingerprints = NO_KEYS,
) -> RecordResult:
    target = ReportTarget.from_report(report, account=account, message_key=message_key)
    unsaved = _UnsavedReport(
        report=report, status=status, target=target, fingerprint=fingerprint, now=timezone.now(), keys=keys
    )
    return db_retry.retry_on_contention(lambda: _insert(unsaved), using=router.db_for_write(DeliveryReport))


def _insert(unsaved: _UnsavedReport) -> RecordResult:
    """Insert the report on the fast path or by the ORM, or count it as a duplicate."""
    if fast_path.try_write(
        unsaved.report, unsaved.status, unsaved.target, columns=_columns(unsaved), now=unsaved.now
    ):
        return RecordResult.CREATED
    for attempt in range(ATTEMPTS):
        try:
            _insert_with_orm(unsaved, lock=attempt > 0)
        except (ConcurrentUpdate, ReportNotForMessage) as exc:
            if attempt and isinstance(exc, ReportNotForMessage):
                raise  # with a lock; reads without one can be from before and after a change of the message
        except IntegrityError:
            if count_duplicate(unsaved.fingerprint, message_key=unsaved.target.message_key):
                return RecordResult.DUPLICATE
            # No row has the fingerprint, so the message was deleted or another message received its id meanwhile.
        else:
            return RecordResult.CREATED
    raise WriteConflict(f"The message of a report of account {unsaved.target.account} kept changing.")


def _insert_with_orm(unsaved: _UnsavedReport, *, lock: bool) -> None:
    # The first attempt reads the message without a lock, before the transaction. The conditional UPDATE inside it
    # detects a change of the message.
    message = None if lock else find_message(unsaved.target)
    # The failures of several channels are counted, which takes the lock. See `channels`.
    lock = lock or (message is not None and has_several(message, unsaved.report))
    using = router.db_for_write(DeliveryReport)
    with db_retry.bounded_transaction(using):
        if lock:
            message = find_message(unsaved.target, lock=True)
        row = DeliveryReport(**_columns(unsaved))
        if message is None:
            signals = apply_orphan(row, unsaved.report, unsaved.target)
        else:
            signals = apply_report(row, message, unsaved.report, now=unsaved.now)
        row.signals = ["dlr_received", *signals]
        has_receivers = dispatch.has_receivers(row.signals, message=message)
        for name, value in dispatch.dispatch_fields(now=unsaved.now, has_receivers=has_receivers).items():
            setattr(row, name, value)
        row.save(using=using, force_insert=True)
        if has_receivers:
            dispatch.dispatch_on_commit(row)
        if message is not None and row.outcome == ReportOutcome.CHANNEL_FAILED:
            dispatch_end(message, row, now=unsaved.now)
        if message is None:
            # The message may have been committed after the read above and before the commit of the report.
            transaction.on_commit(lambda: match_orphan(row), using=using, robust=True)


def _columns(unsaved: _UnsavedReport) -> dict[str, Any]:
    """Return the columns of the report's row that do not depend on the message."""
    occurred_at = unsaved.report.occurred_at
    return {
        "account": unsaved.target.account,
        "sms_unique_id": unsaved.report.sms_unique_id,
        "omnimessage_id": unsaved.report.omnimessage_id,
        "source": unsaved.report.source.value,
        "stat": unsaved.report.stat,
        "status": unsaved.status.value if unsaved.status else "",
        "err": unsaved.report.err,
        "occurred_at": to_db_datetime(occurred_at) if occurred_at else None,
        "received_at": unsaved.now,
        "payload": dict(unsaved.report.payload),
        "fingerprint": unsaved.fingerprint,
        "url_key": unsaved.keys.url,
        "signature_key": unsaved.keys.signature,
    }


def _fingerprint_scope(message_key: MessageKey) -> tuple[int, str]:
    return message_key.pk, message_key.created_at.isoformat()
