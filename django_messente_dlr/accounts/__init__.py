"""Credit hold and activity of the Messente accounts."""

from __future__ import annotations

from django_messente_dlr.accounts.activity import note_balance, note_callback, note_poll
from django_messente_dlr.accounts.credit import begin_hold, end_hold, is_held, lift_hold, lock

__all__ = [
    "begin_hold",
    "end_hold",
    "is_held",
    "lift_hold",
    "lock",
    "note_balance",
    "note_callback",
    "note_poll",
]
