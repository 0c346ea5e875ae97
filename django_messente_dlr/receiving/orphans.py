"""Gives orphans to their messages, whichever was committed first: after each commit, and in the sweep."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db import router
from django.db.models import BigIntegerField, Case, F, When
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.messente.parsers import restore_report
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.receiving.apply import ConcurrentUpdate, apply_report
from django_messente_dlr.receiving.lookup import (
    ReportNotForMessage,
    ReportTarget,
    find_message,
    orphans_of,
    orphans_with_message,
    reports,
)
from django_messente_dlr.utils import db_retry

logger = logging.getLogger(__name__)

BATCH = 500


def match_orphans_of(message: SmsMessage) -> int:
    """Give a message the orphans that are about it; return how many those were.

    Args:
        message: a message whose row is committed.
    """
    return sum(match_orphan(orphan) for orphan in _by_rank(orphans_of(message)))


def match_orphans() -> int:
    """Give all orphans to their messages that are known by now, however that was missed; return how many."""
    matched, last = 0, 0
    while batch := list(orphans_with_message().filter(pk__gt=last)[:BATCH]):
        for orphan in _by_rank(batch):
            try:
                matched += match_orphan(orphan)
            except Exception:  # one report's trouble must not keep the others from their messages
                logger.exception("Delivery report %s could not be given to its message.", orphan.pk)
        last = batch[-1].pk
    return matched


def _by_rank(orphans: Iterable[DeliveryReport]) -> list[DeliveryReport]:
    """Return those that say most first: of what was delivered in the end nobody need hear now that it had failed."""
    return sorted(orphans, key=lambda orphan: Status(orphan.status).rank if orphan.status else -1, reverse=True)


def count_duplicate(fingerprint: str, *, message_pk: int | None) -> bool:
    """Count one more receipt of a report; return whether it is there.

    Args:
        fingerprint: the report's.
        message_pk: the primary key of the message that it was said to be about this time, or None.
    """
    told: dict[str, Any] = {"times_received": F("times_received") + 1}
    if message_pk is not None:
        # An account's URL may have brought it before, with an id that nobody knew. Now it is said whose it is, and
        # the sweep gives it to its message.
        unnamed = When(message__isnull=True, token_message_id__isnull=True, then=message_pk)
        told["token_message_id"] = Case(unnamed, default=F("token_message_id"), output_field=BigIntegerField())
    rows = reports().filter(fingerprint=fingerprint)
    with db_retry.bounded_transaction(rows.db):
        return bool(rows.update(**told))


def match_orphan(orphan: DeliveryReport) -> bool:
    """Give an orphan to its message, if that is known and nobody else has; return whether that was done here.

    Args:
        orphan: the report's row as it was read.
    """
    report = restore_report(
        Source(orphan.source),
        orphan.payload,
        sms_unique_id=orphan.sms_unique_id,
        omnimessage_id=orphan.omnimessage_id,
        stat=orphan.stat,
        err=orphan.err,
        occurred_at=orphan.occurred_at,
    )
    address = ReportTarget.of(report, account=orphan.account, message_pk=orphan.token_message_id)
    using = router.db_for_write(DeliveryReport)
    return db_retry.retry_on_contention(lambda: _adopt(orphan, report, address, using=using), using=using)


def _adopt(orphan: DeliveryReport, report: Report, address: ReportTarget, *, using: str) -> bool:
    now = timezone.now()
    try:
        # Without a lock first: MariaDB would have it wait for a registration that is under way, for as long as that
        # is open. Whoever commits after us looks for orphans after us.
        if find_message(address) is None:
            return False
    except ReportNotForMessage:
        return False
    with db_retry.bounded_transaction(using):
        try:
            message = find_message(address, lock=True)
            row = reports().select_for_update().filter(pk=orphan.pk, message__isnull=True).first()
            if message is None or row is None:
                return False
            if row.dispatch_due_at is not None and row.dispatch_due_at > now:
                return False  # it is just being told of: whoever does that comes here afterwards, or the sweep does
            signals = apply_report(row, message, report, now=now)
        except (ReportNotForMessage, ConcurrentUpdate):
            return False  # not about this message after all; or moved where there are no locks: the sweep comes again
        # What was received without its message was told so, unless a receiver raised; what has changed now is news.
        told = row.dispatched_at is not None and not row.dispatch_error
        row.signals = [*([] if told else row.signals), *signals]
        row.dispatch_due_at = now + dispatch.DISPATCH_LEASE
        row.token_message_id = None
        row.save(update_fields=["message", "token_message_id", "outcome", "previous", "signals", "dispatch_due_at"])
        dispatch.dispatch_on_commit(row)
    return True
