"""Send the signals of recorded reports: after the commit and at least once, even if a process crashes.

The row of a report contains the names of its signals and ``dispatch_due_at``. The process that records the report
sends the signals after the commit. If it dies before they are sent, the sweep sends them after ``dispatch_due_at``.
If the setting ``DISPATCH`` is "deferred", they are due at once, and another process claims the row and sends them.
"""

from __future__ import annotations

from django_messente_dlr.dispatch.overdue import dispatch_due, dispatch_overdue
from django_messente_dlr.dispatch.push import is_deferred, push_on_commit
from django_messente_dlr.dispatch.resend_hook import ResendHook, register_resend_hook
from django_messente_dlr.dispatch.schedule import (
    DISPATCH_LEASE,
    dispatch_fields,
    dispatch_on_commit,
    due_at,
)
from django_messente_dlr.dispatch.send import (
    DELIVERED_MEANWHILE,
    NOT_AFTER_DELIVERY,
    dispatch_report,
    has_receivers,
    mark_dispatched,
    send_credits_restored,
)

__all__ = [
    "DELIVERED_MEANWHILE",
    "DISPATCH_LEASE",
    "NOT_AFTER_DELIVERY",
    "ResendHook",
    "dispatch_due",
    "dispatch_fields",
    "dispatch_on_commit",
    "dispatch_overdue",
    "dispatch_report",
    "due_at",
    "has_receivers",
    "is_deferred",
    "mark_dispatched",
    "push_on_commit",
    "register_resend_hook",
    "send_credits_restored",
]
