"""Credit hold and activity of the Messente accounts."""

from __future__ import annotations

from django_messente_dlr.accounts.activity import record_balance, record_callback, record_poll
from django_messente_dlr.accounts.credit import end_hold, release_hold, start_hold
from django_messente_dlr.accounts.holds import (
    account_rows,
    describe_hold,
    held_accounts,
    held_until,
    is_held,
    paused_accounts,
    refuse_if_held,
)

__all__ = [
    "account_rows",
    "describe_hold",
    "end_hold",
    "held_accounts",
    "held_until",
    "is_held",
    "paused_accounts",
    "record_balance",
    "record_callback",
    "record_poll",
    "refuse_if_held",
    "release_hold",
    "start_hold",
]
