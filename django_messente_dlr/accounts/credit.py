"""The credit hold of an account.

The hold begins with the first err 4 of an outage. Start and end are conditional UPDATEs, so that exactly one process
starts a hold and exactly one ends it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import router, transaction
from django.db.models import Q, QuerySet

from django_messente_dlr import dispatch
from django_messente_dlr.accounts.holds import account_rows, is_held
from django_messente_dlr.models import Account
from django_messente_dlr.utils import db_retry


def start_hold(name: str, *, sent_at: datetime, now: datetime) -> bool:
    """Start the credit hold of an account; return True in the one call that started it.

    A failure of a message that was sent before credit was last restored belongs to the outage before, and starts no
    hold, however late its report is.

    Args:
        name: the account.
        sent_at: when the message that failed for lack of credit was sent.
        now: when its report came.
    """
    if is_held(name):
        return False  # without an UPDATE, which would wait for a lock of the row
    return bool(
        get_or_create_row(name)
        .filter(Q(credits_restored_at__isnull=True) | Q(credits_restored_at__lt=sent_at))
        .filter(credits_exhausted_at__isnull=True)
        .update(credits_exhausted_at=now)
    )


def end_hold(name: str, *, sent_at: datetime, now: datetime) -> bool:
    """End the hold of an account if a delivered message was sent after its start; return True if this call ended it.

    Args:
        name: the account.
        sent_at: when the delivered message was sent.
        now: when its report came.
    """
    return bool(
        Account.objects.filter(name=name, credits_exhausted_at__lt=sent_at).update(
            credits_exhausted_at=None, credits_restored_at=now
        )
    )


def release_hold(name: str, *, now: datetime) -> bool:
    """End the hold of an account that has credit, or by decision of a user; return True if this call ended it.

    ``credits_restored`` is sent after the commit. If the process dies before that, the sweep sends it.

    Args:
        name: the account.
        now: when the account had credit. A hold that started later is not ended.
    """
    using = router.db_for_write(Account)
    due = dispatch.due_at(now)
    with transaction.atomic(using=using):
        ended = Account.objects.filter(name=name, credits_exhausted_at__lte=now).update(
            credits_exhausted_at=None, credits_restored_at=now, restored_dispatch_due_at=due
        )
        if ended and dispatch.is_deferred():
            dispatch.push_on_commit(None, using=using)
        elif ended:
            transaction.on_commit(lambda: dispatch.send_credits_restored(name, due=due), using=using, robust=True)
    return bool(ended)


def get_or_create_row(name: str) -> QuerySet[Account]:
    """Return a queryset of the row of an account, which is created if it does not exist."""
    rows = account_rows()
    if not rows.filter(name=name).exists():
        with db_retry.bounded_transaction(rows.db):
            # Not get_or_create: if another process inserts the row first, it reads again, and in a transaction with
            # REPEATABLE READ it does not see that row.
            rows.bulk_create([Account(name=name)], ignore_conflicts=True)
    return rows.filter(name=name)
