"""Claim the reports whose signals are due, and send them.

They are due because their receivers are deferred, or because the process that recorded them died.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from django_messente_dlr.dispatch import send
from django_messente_dlr.dispatch.schedule import DISPATCH_LEASE
from django_messente_dlr.models import Account, DeliveryReport
from django_messente_dlr.models.claims import claim_rows, move_claim
from django_messente_dlr.utils.times import elapsed, shift

logger = logging.getLogger(__name__)

# Few, because other processes cannot send the signals of the claimed reports while a slow receiver runs.
BATCH = 10
MAX_ACCOUNTS = 100
# A claim is renewed before the next report if receivers have used this part of its lease.
RENEW_AFTER = DISPATCH_LEASE / 4
# The clock of the process that recorded a report may be ahead of this one's.
CLOCK_TOLERANCE = timedelta(seconds=5)

OnOrphan = Callable[[DeliveryReport], object]


def dispatch_due(report_pk: int, *, on_orphan: OnOrphan | None = None) -> bool:
    """Claim one report and send its signals; return whether this call did.

    The result is False if the signals are sent already, or if another process is sending them.

    Args:
        report_pk: the report's primary key.
        on_orphan: is called with the report after its signals are sent, if its message is unknown.
    """
    moment, lease = shift(timezone.now(), CLOCK_TOLERANCE), DISPATCH_LEASE - CLOCK_TOLERANCE
    claimed = DeliveryReport.objects.filter(pk=report_pk).claim_dispatch(1, now=moment, lease=lease)
    for report in claimed:
        _dispatch(report, on_orphan)
    return bool(claimed)


def dispatch_overdue(
    now: datetime | None = None,
    *,
    stop: threading.Event | None = None,
    seconds: float | None = None,
    on_orphan: OnOrphan | None = None,
) -> int:
    """Send the signals that are due at a time, by default now; return the number of reports dispatched.

    Args:
        now: the time.
        stop: ends the call before the next report when it is set.
        seconds: begin with no further report after this time. The rest stays due. None for no limit.
        on_orphan: is called with each report after its signals are sent, if its message is unknown.
    """
    moment, done = now or timezone.now(), 0
    stop, end = stop or threading.Event(), None if seconds is None else time.monotonic() + seconds

    def has_ended() -> bool:
        return stop.is_set() or (end is not None and time.monotonic() >= end)

    while not has_ended() and (
        claimed := DeliveryReport.objects.claim_dispatch(BATCH, now=moment, lease=_lease_since(moment))
    ):
        renew_at = time.monotonic() + RENEW_AFTER.total_seconds()
        for report in claimed:
            if has_ended():
                move_claim(report, "dispatch_due_at", until=moment)  # another process need not wait for the lease
            elif time.monotonic() < renew_at or _renew(report, moment):
                try:
                    _dispatch(report, on_orphan)
                except Exception:  # an error with one report must not delay the signals of the others
                    logger.exception("The signals of delivery report %s could not be sent.", report.pk)
                else:
                    done += 1
    until = shift(moment, _lease_since(moment))
    restored = Account.objects.filter(restored_dispatch_due_at__lte=moment)
    for account in claim_rows(restored, "restored_dispatch_due_at", count=MAX_ACCOUNTS, until=until):
        send.send_credits_restored(account.name, due=until)
    return done


def _dispatch(report: DeliveryReport, on_orphan: OnOrphan | None) -> None:
    send.dispatch_report(report.pk, due_at=report.dispatch_due_at)
    if on_orphan is not None and report.message_id is None:
        on_orphan(report)


def _renew(report: DeliveryReport, moment: datetime) -> bool:
    """Begin the lease of a claimed report again; return False if another process has claimed it since."""
    return move_claim(report, "dispatch_due_at", until=shift(moment, _lease_since(moment)))


def _lease_since(moment: datetime) -> timedelta:
    """Return the time from the start of a sweep (``moment``) to the end of a lease that starts now."""
    return max(elapsed(moment, timezone.now()), timedelta(0)) + DISPATCH_LEASE
