"""Record the balance of an account and the times of its callbacks and polls."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import router

from django_messente_dlr.accounts.credit import get_or_create_row, release_hold
from django_messente_dlr.models import Account
from django_messente_dlr.utils.times import elapsed

# An account may run out of credits with less left than a message costs. For this long after the end of a hold, only a
# higher balance than the last one ends the next hold.
SAME_BALANCE_PERIOD = timedelta(hours=1)
# If every callback of an account wrote its row, all callbacks would wait for that row.
CALLBACK_RECORD_INTERVAL = timedelta(minutes=1)
_callback_recorded_at: dict[tuple[str, ...], datetime] = {}


def record_balance(name: str, balance: Decimal, *, now: datetime) -> bool:
    """Record the result of a balance check and end the credit hold if there is credit; return whether it ended.

    Args:
        name: the account.
        balance: its credit in EUR.
        now: when the balance was requested.
    """
    rows = get_or_create_row(name)
    before = rows.get()
    rows.update(balance=balance, balance_checked_at=now)
    restored_at = before.credits_restored_at
    if (
        restored_at
        and elapsed(restored_at, now) < SAME_BALANCE_PERIOD
        and before.balance is not None
        and balance <= before.balance
    ):
        return False  # the last hold ended with the same balance or more, and that was not enough
    return balance > 0 and release_hold(name, now=now)


def record_callback(name: str, *, now: datetime, keys: Collection[str] = ()) -> None:
    """Record that a callback for an account came: once a minute for each process and set of keys.

    Args:
        name: the account.
        now: when the callback came.
        keys: the fingerprints of the keys that verified its token and signature.
    """
    recorded_at = _callback_recorded_at.get((name, *keys))
    if recorded_at is not None and elapsed(recorded_at, now) < CALLBACK_RECORD_INTERVAL:
        return
    rows = Account.objects.using(router.db_for_write(Account))
    # Not update_or_create, which locks the row: many processes write at the same time. If two of them overwrite each
    # other's keys, they record the keys again a minute later.
    row = rows.filter(name=name).only("key_uses").first() or rows.get_or_create(name=name)[0]
    uses = {**row.key_uses, **dict.fromkeys(keys, now.isoformat(timespec="seconds"))}
    rows.filter(pk=row.pk).update(last_callback_at=now, key_uses=uses)
    _callback_recorded_at[name, *keys] = now


def record_poll(name: str, *, now: datetime, error: str | None = "") -> None:
    """Record that an account was polled.

    Args:
        name: the account.
        now: the time of the poll.
        error: the error that concerns all messages of the account; "" for none; None to keep the stored one.
    """
    values = {} if error is None else {"last_poll_error": error[:255]}
    get_or_create_row(name).update(last_poll_at=now, **values)
