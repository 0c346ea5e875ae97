"""Poll Messente for reports that no callback brought: claim messages, request statuses, record, and reschedule.

Worker threads send the requests. Only the thread that runs the `Poller` uses the database, in short transactions, and
no transaction is open while a request is under way. The claim of a process that dies expires.
"""

from __future__ import annotations

from django_messente_dlr.polling.poll_now import can_poll, poll_now, unpollable_reason
from django_messente_dlr.polling.poller import Poller
from django_messente_dlr.polling.results import PollOutcome, PollResult
from django_messente_dlr.polling.summary import Summary

__all__ = ["PollOutcome", "PollResult", "Poller", "Summary", "can_poll", "poll_now", "unpollable_reason"]
