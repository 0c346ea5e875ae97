"""The signals, each sent after the commit of what it tells, at least once, in the order in which they stand here.

The sender is always `SmsMessage`. ``message`` and ``report`` are the rows as they are in the database when the
signal is sent; a receiver may be called again for the same report after a crash, so it should be able to bear
that. A receiver that raises is logged and noted on the report, and does not keep the others from being called.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal

logger = logging.getLogger(__name__)


class _Signal(Signal):
    """A Signal that gets over every receiver.

    Django's own log of a failure asks for the receiver's ``__qualname__``, which a partial or an object does not
    have: that raises in its turn, and the receivers behind it are not called.
    """

    def _log_robust_failure(self, receiver: Any, err: Exception) -> None:
        logger.error("The receiver %s raised %s.", name_of(receiver), type(err).__name__, exc_info=err)


def name_of(receiver: Any) -> str:
    """Return what to call a receiver: a function, a method, a partial or an object that can be called."""
    named = getattr(receiver, "func", receiver)
    kind = type(named)
    module = getattr(named, "__module__", kind.__module__)
    return f"{module}.{getattr(named, '__qualname__', kind.__qualname__)}"


#: A report was stored. Arguments: message (None while it is unknown), report.
dlr_received = _Signal()
#: A report has moved a message forward. Arguments: message, report, previous (the Status before).
dlr_status_changed = _Signal()
#: A message has reached its recipient. Comes once, also when the first thing heard is «seen». Arguments: message,
#: report.
dlr_delivered = _Signal()
#: A message was opened by its recipient. Arguments: message, report.
dlr_seen = _Signal()
#: A message has ended failed or rejected, whatever the cause; once a message. Arguments: message, report,
#: temporary (whether Messente advises to send it again).
dlr_failed = _Signal()
#: Nothing final was heard within Messente's 48 hours; a late report may still come. Arguments: message, report.
dlr_unresolved = _Signal()
#: err 999: the cause is temporary, send the message again. Arguments: message, report.
temporary_failure = _Signal()
#: err 6: too many identical messages to one number. Arguments: message, report.
identical_messages_blocked = _Signal()
#: err 7: the sender's name is not allowed. Arguments: message, report.
sender_not_allowed = _Signal()
#: An account has run out of credits; once an outage. Arguments: message, report, account (its name).
credits_exhausted = _Signal()
#: An account has credit again; once an outage. Arguments: message, report (both None where a balance check or a
#: person ended the hold), account (its name).
credits_restored = _Signal()

#: By name, as reports note which of them are to be sent.
BY_NAME: dict[str, Signal] = {
    "dlr_received": dlr_received,
    "dlr_status_changed": dlr_status_changed,
    "dlr_delivered": dlr_delivered,
    "dlr_seen": dlr_seen,
    "dlr_failed": dlr_failed,
    "dlr_unresolved": dlr_unresolved,
    "temporary_failure": temporary_failure,
    "identical_messages_blocked": identical_messages_blocked,
    "sender_not_allowed": sender_not_allowed,
    "credits_exhausted": credits_exhausted,
    "credits_restored": credits_restored,
}
