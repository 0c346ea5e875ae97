"""Make the signals of a report due when it is recorded, and send them after the commit."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connections, router, transaction

from django_messente_dlr.dispatch import send
from django_messente_dlr.dispatch.push import is_deferred, push_on_commit
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.utils.times import shift

# Longer than receivers may run while Messente waits for a response (10 s); short enough as a delay after a crash.
DISPATCH_LEASE = timedelta(minutes=2)


def due_at(now: datetime) -> datetime:
    """Return when another process may send signals that are due since ``now``: at once if they are deferred."""
    return now if is_deferred() else shift(now, DISPATCH_LEASE)


def dispatch_fields(*, now: datetime, has_receivers: bool) -> dict[str, datetime | None]:
    """Return the dispatch columns of a report that is received now: due, or dispatched if it has no receivers."""
    return {
        "dispatch_due_at": due_at(now) if has_receivers else None,
        "dispatched_at": None if has_receivers else now,
    }


def dispatch_on_commit(
    report: DeliveryReport, *, is_current: bool = False, message: SmsMessage | None = None
) -> None:
    """Dispatch a report after the current transaction is committed, or push it if its receivers are deferred.

    An error is logged; the sweep then retries.

    Args:
        report: the report's row.
        is_current: whether the row is the stored one. Inside a transaction of the caller it is read again anyway.
        message: the message as it is stored, if the row is current. None reads it.
    """
    using = router.db_for_write(DeliveryReport)
    if is_deferred():
        push_on_commit(report.pk, using=using)
        return
    expected = report.dispatch_due_at
    current = report if is_current and not connections[using].in_atomic_block else None
    transaction.on_commit(
        lambda: send.dispatch_report(report.pk, due_at=expected, report=current, message=message),
        using=using,
        robust=True,
    )
