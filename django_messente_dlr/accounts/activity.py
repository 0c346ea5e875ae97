"""Record the balance of an account and the times of its callbacks and polls."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import router

from django_messente_dlr.accounts.credit import get_or_create_row, release_hold
from django_messente_dlr.models import Account

# An account may be out of credits with a little left, less than a message costs. Where credit that was seen has not
# been enough for so long, only more of it ends the next hold.
TRIED_FOR = timedelta(hours=1)
# A row that every callback of an account wrote would be one that all of them wait for.
CALLBACK_RECORD_INTERVAL = timedelta(minutes=1)
_callback_recorded_at: dict[tuple[str, ...], datetime] = {}


def record_balance(name: str, balance: Decimal, *, now: datetime) -> bool:
    """Note what a balance check saw and end the hold if there is credit; return whether that ended it.

    Args:
        name: the account.
        balance: its credit in EUR.
        now: when that was asked for.
    """
    rows = get_or_create_row(name)
    before = rows.get()
    rows.update(balance=balance, balance_checked_at=now)
    restored_at = before.credits_restored_at
    if restored_at and now - restored_at < TRIED_FOR and before.balance is not None and balance <= before.balance:
        return False  # there was as much when the hold was ended last, and it was not enough
    return balance > 0 and release_hold(name, now=now)


def record_callback(name: str, *, now: datetime, keys: Collection[str] = ()) -> None:
    """Note that Messente has called about an account, once a minute for each process and set of keys.

    Args:
        name: the account.
        now: when it called.
        keys: the fingerprints of the keys by which that was verified.
    """
    noted = _callback_recorded_at.get((name, *keys))
    if noted is not None and now - noted < CALLBACK_RECORD_INTERVAL:
        return
    rows = Account.objects.using(router.db_for_write(Account))
    # Not update_or_create, which reads, locks and writes: many processes begin their minute together. What two of
    # them overwrite of each other's keys, they note again a minute later.
    row = rows.filter(name=name).only("key_uses").first() or rows.get_or_create(name=name)[0]
    uses = {**row.key_uses, **dict.fromkeys(keys, now.isoformat(timespec="seconds"))}
    rows.filter(pk=row.pk).update(last_callback_at=now, key_uses=uses)
    _callback_recorded_at[name, *keys] = now


def record_poll(name: str, *, now: datetime, error: str | None = "") -> None:
    """Note that an account was polled.

    Args:
        name: the account.
        now: when.
        error: what went wrong for all of its messages, "" for nothing; None where that is not known anew.
    """
    told = {} if error is None else {"last_poll_error": error[:255]}
    get_or_create_row(name).update(last_poll_at=now, **told)
