"""What is known of an account: the credit hold, the balance, and when we last heard of it.

The hold begins with the first err 4 of an outage and ends once; both are a conditional UPDATE, so that of any
number of processes one begins it and one ends it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import router, transaction
from django.db.models import Q, QuerySet

from django_messente_dlr import dispatch
from django_messente_dlr.models import Account

# An account may be out of credits with a little left, less than a message costs. Where credit that was seen has not
# been enough for so long, only more of it ends the next hold.
TRIED_FOR = timedelta(hours=1)
# A row that every callback of an account wrote would be one that all of them wait for.
CALLBACK_NOTE_INTERVAL = timedelta(minutes=1)
_callback_noted_at: dict[tuple[str, ...], datetime] = {}


def lock(name: str) -> None:
    """Let nobody else lock an account until the transaction ends."""
    _entered(name).select_for_update().get()


def is_held(name: str) -> bool:
    """Tell whether an account is known to be out of credits."""
    return Account.objects.filter(name=name, credits_exhausted_at__isnull=False).exists()


def begin_hold(name: str, *, sent_at: datetime, now: datetime) -> bool:
    """Begin the hold of an account; true for the one caller who did.

    A message that was sent before credit was last restored tells of the outage before, however late it is.

    Args:
        name: the account.
        sent_at: when the message was sent that failed for want of credit.
        now: when that became known.
    """
    return bool(
        _entered(name)
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


def lift_hold(name: str, *, now: datetime) -> bool:
    """End the hold of an account because credit was seen or a person says so; true for who ended it.

    ``credits_restored`` is sent after the commit; a crash before that leaves it to the sweep.

    Args:
        name: the account.
        now: when that was so. A hold that has begun since then is not ended.
    """
    using = router.db_for_write(Account)
    due = now + dispatch.LEASE
    with transaction.atomic(using=using):
        lifted = Account.objects.filter(name=name, credits_exhausted_at__lte=now).update(
            credits_exhausted_at=None, credits_restored_at=now, restored_dispatch_due_at=due
        )
        if lifted:
            transaction.on_commit(lambda: dispatch.announce_restored(name, due=due), using=using, robust=True)
    return bool(lifted)


def note_balance(name: str, balance: Decimal, *, now: datetime) -> bool:
    """Note what a balance check saw and end the hold if there is credit; return whether that ended it.

    Args:
        name: the account.
        balance: its credit in EUR.
        now: when that was asked for.
    """
    rows = _entered(name)
    before = rows.get()
    rows.update(balance=balance, balance_checked_at=now)
    restored_at = before.credits_restored_at
    if restored_at and now - restored_at < TRIED_FOR and before.balance is not None and balance <= before.balance:
        return False  # there was as much when the hold was ended last, and it was not enough
    return balance > 0 and lift_hold(name, now=now)


def note_callback(name: str, *, now: datetime, keys: Collection[str] = ()) -> None:
    """Note that Messente has called about an account, once a minute for each process and set of keys.

    Args:
        name: the account.
        now: when it called.
        keys: the fingerprints of the keys by which that was verified.
    """
    noted = _callback_noted_at.get((name, *keys))
    if noted is not None and now - noted < CALLBACK_NOTE_INTERVAL:
        return
    rows = Account.objects.using(router.db_for_write(Account))
    # Not update_or_create, which reads, locks and writes: many processes begin their minute together. What two of
    # them overwrite of each other's keys, they note again a minute later.
    row = rows.filter(name=name).only("key_uses").first() or rows.get_or_create(name=name)[0]
    uses = {**row.key_uses, **dict.fromkeys(keys, now.isoformat(timespec="seconds"))}
    rows.filter(pk=row.pk).update(last_callback_at=now, key_uses=uses)
    _callback_noted_at[name, *keys] = now


def note_poll(name: str, *, now: datetime, error: str | None = "") -> None:
    """Note that an account was polled.

    Args:
        name: the account.
        now: when.
        error: what went wrong for all of its messages, "" for nothing; None where that is not known anew.
    """
    told = {} if error is None else {"last_poll_error": error[:255]}
    _entered(name).update(last_poll_at=now, **told)


def _entered(name: str) -> QuerySet[Account]:
    """Return an account's row, which is made where there is none yet."""
    rows = Account.objects.using(router.db_for_write(Account))
    if not rows.filter(name=name).exists():
        # Not get_or_create: where somebody else was faster, it looks again, and REPEATABLE READ shows it nothing.
        rows.bulk_create([Account(name=name)], ignore_conflicts=True)
    return rows.filter(name=name)
