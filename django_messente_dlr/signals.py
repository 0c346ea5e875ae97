"""The signals, each sent after the commit of what it tells, at least once, in the order in which they stand here.

The sender is always `SmsMessage`. ``message`` and ``report`` are the rows as they are in the database when the
signal is sent; a receiver may be called again for the same report after a crash, so it should be able to bear
that. A receiver that raises is logged and noted on the report, and does not keep the others from being called.
"""

from __future__ import annotations

from django.dispatch import Signal

#: A report was stored. Arguments: message (None while it is unknown), report.
dlr_received = Signal()
#: A report has moved a message forward. Arguments: message, report, previous (the Status before).
dlr_status_changed = Signal()
#: A message has reached its recipient. Comes once, also when the first thing heard is «seen». Arguments: message,
#: report.
dlr_delivered = Signal()
#: A message was opened by its recipient. Arguments: message, report.
dlr_seen = Signal()
#: A message has ended failed or rejected, whatever the cause; once a message. Arguments: message, report,
#: temporary (whether Messente advises to send it again).
dlr_failed = Signal()
#: Nothing final was heard within Messente's 48 hours; a late report may still come. Arguments: message, report.
dlr_unresolved = Signal()
#: err 999: the cause is temporary, send the message again. Arguments: message, report.
temporary_failure = Signal()
#: err 6: too many identical messages to one number. Arguments: message, report.
identical_messages_blocked = Signal()
#: err 7: the sender's name is not allowed. Arguments: message, report.
sender_not_allowed = Signal()
#: An account has run out of credits; once an outage. Arguments: message, report, account (its name).
credits_exhausted = Signal()
#: An account has credit again; once an outage. Arguments: message, report (both None where a balance check or a
#: person ended the hold), account (its name).
credits_restored = Signal()

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
