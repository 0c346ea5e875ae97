"""Record delivery reports. This is the only package that changes the delivery state of a message.

`record` stores a Report from any source: a callback, a poll, or the response to a send request.

- A report is stored once, because its fingerprint is unique.
- It changes its message only to a higher rank. The UPDATE has the rank that was read as a condition.
- It is never lost: a report without a message is stored as an orphan and matched later.

No code here calls Messente, and no receiver runs inside a transaction of this package: `dispatch` sends the signals
after the commit.
"""

from __future__ import annotations

from django_messente_dlr.receiving.apply import leave_queue
from django_messente_dlr.receiving.batch import atomic_batch
from django_messente_dlr.receiving.channels import settle_channels
from django_messente_dlr.receiving.confirmation import claim_prepared, confirm_sent
from django_messente_dlr.receiving.confirmation_batch import confirm_sent_batch
from django_messente_dlr.receiving.lookup import ReportNotForMessage, reload
from django_messente_dlr.receiving.orphans import match_orphan, match_orphans, match_orphans_of
from django_messente_dlr.receiving.record import RecordResult, WriteConflict, record, record_final

__all__ = [
    "RecordResult",
    "ReportNotForMessage",
    "WriteConflict",
    "atomic_batch",
    "claim_prepared",
    "confirm_sent",
    "confirm_sent_batch",
    "leave_queue",
    "match_orphan",
    "match_orphans",
    "match_orphans_of",
    "record",
    "record_final",
    "reload",
    "settle_channels",
]
