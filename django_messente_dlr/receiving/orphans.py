"""Match orphans with their messages, in whichever order the two were committed.

Matching runs after the commit of a message, after the commit of an orphan, and in the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db import router
from django.db.models import Case, F, Value, When
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.callbacks import MessageKey
from django_messente_dlr.messente.reports import Report
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_report
from django_messente_dlr.receiving.channels import dispatch_end
from django_messente_dlr.receiving.lookup import (
    ReportNotForMessage,
    ReportTarget,
    find_message,
    orphans_of,
    orphans_with_message,
    reload,
    reports,
    restored_report,
)
from django_messente_dlr.utils import db_retry

logger = logging.getLogger(__name__)

BATCH = 500


def match_orphans_of(message: SmsMessage) -> int:
    """Match a message with its orphans; return the number of orphans matched.

    Args:
        message: a message whose row is committed. It is reloaded if an orphan is matched.
    """
    matched = sum(match_orphan(orphan) for orphan in _by_rank(orphans_of(message)))
    if matched:
        reload(message)
    return matched


def match_orphans() -> int:
    """Match all orphans whose messages are stored by now; return the number of orphans matched."""
    matched, last = 0, 0
    while batch := list(orphans_with_message().filter(pk__gt=last)[:BATCH]):
        for orphan in _by_rank(batch):
            try:
                matched += match_orphan(orphan)
            except Exception:  # an error with one report must not prevent the others from being matched
                logger.exception("Delivery report %s could not be matched with its message.", orphan.pk)
        last = batch[-1].pk
    return matched


def _by_rank(orphans: Iterable[DeliveryReport]) -> list[DeliveryReport]:
    """Return the orphans sorted by the rank of their status, the highest first.

    If a message failed and was delivered afterwards, the delivery is applied first. The failure then has no effect,
    and its signals are not sent.
    """
    return sorted(orphans, key=lambda orphan: Status(orphan.status).rank if orphan.status else -1, reverse=True)


def count_duplicate(fingerprint: str, *, message_key: MessageKey | None) -> bool:
    """Increase the number of times that a report was received; return whether the report is stored.

    Args:
        fingerprint: the report's fingerprint.
        message_key: the message in the token of the callback URL of the duplicate, or None.
    """
    changes: dict[str, Any] = {"times_received": F("times_received") + 1}
    if message_key is not None:
        # The report may be stored as an orphan from the account's URL, because no message has its id. The duplicate
        # names the message, so the sweep can match the orphan.
        values = {"token_message_id": message_key.pk, "token_created_at": message_key.created_at}
        for name, value in values.items():
            # Each column is compared with itself: MySQL's assignments see the values of those before them.
            without_message = When(message__isnull=True, **{f"{name}__isnull": True}, then=Value(value))
            output_field: Any = DeliveryReport._meta.get_field(name)  # noqa: SLF001 - documented
            changes[name] = Case(without_message, default=F(name), output_field=output_field)
    rows = reports().filter(fingerprint=fingerprint)
    with db_retry.bounded_transaction(rows.db):
        return bool(rows.update(**changes))


def match_orphan(orphan: DeliveryReport) -> bool:
    """Match an orphan with its message; return whether this call did.

    The result is False if the message is not stored. It is also False if another process has matched the orphan, or
    is sending the orphan's signals.

    Args:
        orphan: the report's row as it was read.
    """
    report = restored_report(orphan)
    message_key = None
    if orphan.token_message_id is not None and orphan.token_created_at is not None:
        message_key = MessageKey(orphan.token_message_id, orphan.token_created_at)
    target = ReportTarget.from_report(report, account=orphan.account, message_key=message_key)
    using = router.db_for_write(DeliveryReport)
    return db_retry.retry_on_contention(lambda: _match(orphan, report, target, using=using), using=using)


def _match(orphan: DeliveryReport, report: Report, target: ReportTarget, *, using: str) -> bool:
    now = timezone.now()
    try:
        # The first read takes no lock. On MariaDB a locking read waits for an open transaction that inserts the
        # message. If that transaction commits later, its own matching finds the orphan.
        if find_message(target) is None:
            return False
    except ReportNotForMessage:
        return False
    with db_retry.bounded_transaction(using):
        try:
            message = find_message(target, lock=True)
            row = reports().select_for_update().filter(pk=orphan.pk, message__isnull=True).first()
            if message is None or row is None:
                return False
            if row.dispatch_due_at is not None and row.dispatch_due_at > now:
                return False  # its signals are being sent; that process matches it afterwards, or else the sweep does
            signals = apply_report(row, message, report, now=now)
        except (ReportNotForMessage, ConcurrentUpdate):
            # The report is not for the message that was locked, or the database has no row locks and the message was
            # changed. The sweep retries.
            return False
        # Those that were sent when the orphan arrived begin with dlr_received. Dispatch sends only the ones before.
        row.signals = [*signals, *row.signals]
        row.dispatch_due_at = dispatch.due_at(now)
        row.token_message_id = row.token_created_at = None
        token = ["token_message_id", "token_created_at"]
        fields = ["message", *token, "outcome", "previous", "signals", "dispatch_due_at", "payload"]
        row.save(update_fields=fields)
        dispatch.dispatch_on_commit(row)
        if row.outcome == ReportOutcome.CHANNEL_FAILED:
            dispatch_end(message, row, now=now)
    return True
