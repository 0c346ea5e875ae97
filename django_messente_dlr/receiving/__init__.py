"""The only place that changes delivery state: `record` takes a Report from any door and writes it down.

A report is written once (its fingerprint is unique), moves its message only forward (an UPDATE that asks for the
rank that the decision was made on) and is never lost (an orphan waits for its message). Nothing here waits for
Messente, and no receiver runs inside our transaction: `dispatch` sends the signals after the commit.
"""

from __future__ import annotations

from django_messente_dlr.receiving.batch import atomic_batch
from django_messente_dlr.receiving.lookup import ReportNotForMessage
from django_messente_dlr.receiving.orphans import match_orphans, match_orphans_of
from django_messente_dlr.receiving.record import RecordResult, WriteConflict, confirm_sent, record, record_final

__all__ = [
    "RecordResult",
    "ReportNotForMessage",
    "WriteConflict",
    "atomic_batch",
    "confirm_sent",
    "match_orphans",
    "match_orphans_of",
    "record",
    "record_final",
]
