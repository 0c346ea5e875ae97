"""Record the balance of an account and the times of its callbacks and polls.

None of these writes waits for a row that another transaction has locked: it is skipped, and a later callback, poll or
balance check records the activity.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import Error, connections, transaction

from django_messente_dlr import conf
from django_messente_dlr.accounts.credit import get_or_create_row, release_hold
from django_messente_dlr.accounts.holds import account_rows, add_current_hold, held_until
from django_messente_dlr.models import Account
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.times import elapsed

# If every callback of an account wrote its row, all callbacks would wait for that row.
CALLBACK_RECORD_INTERVAL = timedelta(minutes=1)
_callback_recorded_at: dict[tuple[str, ...], datetime] = {}


def record_balance(name: str, balance: Decimal, *, now: datetime) -> bool:
    """Record the result of a balance check and end the credit hold if there is credit; return whether it ended.

    There is credit if the balance is above ``CREDIT_FLOOR``. `holds` describes when the hold lasts nevertheless.

    Args:
        name: the account.
        balance: its credit in EUR.
        now: when the balance was requested.
    """

    def write(account: Account) -> bool:
        account.balance = balance
        account.recent_holds = add_current_hold(account, now=now)
        _update(account, balance=balance, balance_checked_at=now, recent_holds=account.recent_holds)
        has_credit = balance > conf.get_config().credit_floor and held_until(account, now=now) is None
        return has_credit and release_hold(name, now=now)

    return _write_unless_locked(name, write)


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
    # Before the write: if it waits or fails, the callbacks of the next minute do not try it, too.
    _callback_recorded_at[name, *keys] = now

    def write(account: Account) -> bool:
        uses = {**account.key_uses, **dict.fromkeys(keys, now.isoformat(timespec="seconds"))}
        return _update(account, last_callback_at=now, key_uses=uses)

    _write_unless_locked(name, write)


def record_poll(name: str, *, now: datetime, error: str | None = "") -> None:
    """Record that an account was polled.

    Args:
        name: the account.
        now: the time of the poll.
        error: the error that concerns all messages of the account; "" for none; None to keep the stored one.
    """
    values = {} if error is None else {"last_poll_error": error[:255]}
    _write_unless_locked(name, lambda account: _update(account, last_poll_at=now, **values))


def _update(account: Account, **values: Any) -> bool:
    return bool(account_rows().filter(pk=account.pk).update(**values))


def _write_unless_locked(name: str, write: Callable[[Account], bool]) -> bool:
    """Call ``write`` with the row of an account in a transaction; return its result, or False if it is locked."""
    try:
        rows = get_or_create_row(name)
        if connections[rows.db].features.has_select_for_update_skip_locked:
            with transaction.atomic(using=rows.db):
                account = rows.select_for_update(skip_locked=True).first()
                return account is not None and write(account)
        # Read before the transaction: one that begins with a read cannot write on SQLite once another process has
        # written. Two processes that overwrite each other's keys record them again a minute later.
        account = rows.get()
        with db_retry.bounded_transaction(rows.db):
            return write(account)
    except Error as exc:
        if not db_retry.is_contention(exc):
            raise
        return False
