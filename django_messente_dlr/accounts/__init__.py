"""Credit hold and activity of the Messente accounts."""

from __future__ import annotations

from django_messente_dlr.accounts.activity import record_balance, record_callback, record_poll
from django_messente_dlr.accounts.credit import end_hold, is_held, lock, release_hold, start_hold

__all__ = [
    "end_hold",
    "is_held",
    "lock",
    "record_balance",
    "record_callback",
    "record_poll",
    "release_hold",
    "start_hold",
]
