"""The signals of this app. Each is sent at least once, after the commit of the change that it reports.

The signals of one report are sent in the order in which they are defined here. The sender is always `SmsMessage`.
``message`` and ``report`` are the rows as they are stored when the signal is sent.

A receiver may be called again for the same report, so it must be idempotent: after a crash, and if the receivers of a
report together take longer than the lease of its dispatch (`dispatch.DISPATCH_LEASE`, two minutes from the time at
which the report was recorded). The sweep of ``poll_dlrs`` then calls them a second time, while the first call may
still run. Move work that can take so long to a task queue.

An exception in a receiver is logged and stored with the report; the other receivers are called nevertheless.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal

__all__ = [
    "credits_exhausted",
    "credits_restored",
    "dlr_cancelled",
    "dlr_channel_failed",
    "dlr_delivered",
    "dlr_failed",
    "dlr_received",
    "dlr_seen",
    "dlr_status_changed",
    "dlr_unresolved",
    "identical_messages_blocked",
    "sender_not_allowed",
    "temporary_failure",
]

logger = logging.getLogger(__name__)

MAX_ERROR = 1000  # characters of an error's message


class _Signal(Signal):
    """A Signal whose `send_robust` calls all receivers, whatever kind of callable raises.

    Django logs the ``__qualname__`` of a receiver that raised. A partial or an object has none, so logging raises an
    AttributeError and the remaining receivers are not called.
    """

    def _log_robust_failure(self, receiver: Any, err: Exception) -> None:
        logger.error("The receiver %s raised %s.", name_of(receiver), type(err).__name__, exc_info=err)


def name_of(receiver: Any) -> str:
    """Return the dotted name of a receiver: a function, a method, a partial or a callable object."""
    function = getattr(receiver, "func", receiver)
    receiver_class = type(function)
    module = getattr(function, "__module__", receiver_class.__module__)
    return f"{module}.{getattr(function, '__qualname__', receiver_class.__qualname__)}"


def error_line(receiver: Any, error: Exception) -> str:
    """Return what a receiver raised in one line, as any database can store it."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the class is the project's, and its __str__ may raise anything
        text = "the error has no readable message"
    text = text[:MAX_ERROR].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return f"{name_of(receiver)}: {type(error).__name__}: {text}"


#: A report was stored. Arguments: message (None for an orphan), report.
dlr_received = _Signal()
#: A report has changed the status of a message. Arguments: message, report, previous (the Status before).
dlr_status_changed = _Signal()
#: A message has reached its recipient. Sent once for each message, also if its first report is "seen".
#: Arguments: message, report.
dlr_delivered = _Signal()
#: A recipient has opened a message. Arguments: message, report.
dlr_seen = _Signal()
#: One channel of a message with several channels has failed; another may still deliver the message. Arguments:
#: message, report (its ``sms_unique_id`` is the id of the channel's message), channel (its name, or "" if unknown).
dlr_channel_failed = _Signal()
#: A message has failed or was rejected, for any cause. Sent once for each message. Arguments: message, report,
#: temporary (whether Messente advises to send the message again), will_resend (whether the setting ``RESEND`` sends
#: it again, as another message, which has signals of its own: the failure is final only if this is false).
dlr_failed = _Signal()
#: A scheduled message was cancelled with `sending.cancel`, and not delivered since. Arguments: message, report.
dlr_cancelled = _Signal()
#: Messente reported nothing final until 48 hours after the message's validity. A late report may still arrive.
#: Arguments: message, report.
dlr_unresolved = _Signal()
#: err 999: the cause is temporary; the message can be sent again. Arguments: message, report.
temporary_failure = _Signal()
#: err 6: too many identical messages to one number. Arguments: message, report.
identical_messages_blocked = _Signal()
#: err 7: the sender is not allowed. Arguments: message, report.
sender_not_allowed = _Signal()
#: An account has run out of credits. Sent once for each outage. Arguments: message (None for an orphan), report,
#: account (its name).
credits_exhausted = _Signal()
#: An account has credits again. Sent once for each outage. Arguments: message, report (both None if a balance check
#: or a person ended the hold), account (its name).
credits_restored = _Signal()

#: The signals by name. `DeliveryReport.signals` contains these names.
BY_NAME: dict[str, Signal] = {
    "dlr_received": dlr_received,
    "dlr_status_changed": dlr_status_changed,
    "dlr_delivered": dlr_delivered,
    "dlr_seen": dlr_seen,
    "dlr_channel_failed": dlr_channel_failed,
    "dlr_failed": dlr_failed,
    "dlr_cancelled": dlr_cancelled,
    "dlr_unresolved": dlr_unresolved,
    "temporary_failure": temporary_failure,
    "identical_messages_blocked": identical_messages_blocked,
    "sender_not_allowed": sender_not_allowed,
    "credits_exhausted": credits_exhausted,
    "credits_restored": credits_restored,
}
