"""The credit hold of an account.

The hold begins with the first err 4 of an outage and ends once; both are a conditional UPDATE, so that one process
begins it and one process ends it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import router, transaction
from django.db.models import Q, QuerySet

from django_messente_dlr import dispatch
from django_messente_dlr.models import Account


def lock(name: str) -> None:
    """Let nobody else lock an account until the transaction ends."""
    get_or_create_row(name).select_for_update().get()


def is_held(name: str) -> bool:
    """Tell whether an account is known to be out of credits."""
    return Account.objects.filter(name=name, credits_exhausted_at__isnull=False).exists()


def start_hold(name: str, *, sent_at: datetime, now: datetime) -> bool:
    """Begin the hold of an account; true for the one caller who did.

    A message that was sent before credit was last restored tells of the outage before, however late it is.

    Args:
        name: the account.
        sent_at: when the message was sent that failed for want of credit.
        now: when that became known.
    """
    return bool(
        get_or_create_row(name)
        .filter(Q(credits_restored_at__isnull=True) | Q(credits_restored_at__lt=sent_at))
        .filter(credits_exhausted_at__isnull=True)
        .update(credits_exhausted_at=now)
    )


def end_hold(name: str, *, sent_at: datetime, now: datetime) -> bool:
    """End the hold of an account if a message that was delivered was sent after it began; true for who ended it.

    Args:
        name: the account.
        sent_at: when the delivered message was sent.
        now: when its delivery became known.
    """
    return bool(
        Account.objects.filter(name=name, credits_exhausted_at__lt=sent_at).update(
            credits_exhausted_at=None, credits_restored_at=now
        )
    )


def release_hold(name: str, *, now: datetime) -> bool:
    """End the hold of an account because credit was seen or a person says so; true for who ended it.

    ``credits_restored`` is sent after the commit; a crash before that leaves it to the sweep.

    Args:
        name: the account.
        now: when that was so. A hold that has begun since then is not ended.
    """
    using = router.db_for_write(Account)
    due = now + dispatch.DISPATCH_LEASE
    with transaction.atomic(using=using):
        lifted = Account.objects.filter(name=name, credits_exhausted_at__lte=now).update(
            credits_exhausted_at=None, credits_restored_at=now, restored_dispatch_due_at=due
        )
        if lifted:
            transaction.on_commit(lambda: dispatch.send_credits_restored(name, due=due), using=using, robust=True)
    return bool(lifted)


def get_or_create_row(name: str) -> QuerySet[Account]:
    """Return an account's row, which is made where there is none yet."""
    rows = Account.objects.using(router.db_for_write(Account))
    if not rows.filter(name=name).exists():
        # Not get_or_create: where somebody else was faster, it looks again, and REPEATABLE READ shows it nothing.
        rows.bulk_create([Account(name=name)], ignore_conflicts=True)
    return rows.filter(name=name)
