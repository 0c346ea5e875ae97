"""Asks Messente about the messages whose reports did not come: claim, ask, record, and say when to ask again.

Threads ask; the thread that runs the `Poller` alone speaks with the database, in short transactions, none of which is
open while a question is under way. A claim whose process dies runs out by itself.
"""

from __future__ import annotations

from django_messente_dlr.polling.poll_now import can_poll, poll_now, unpollable_reason
from django_messente_dlr.polling.poller import Poller
from django_messente_dlr.polling.results import PollOutcome, PollResult
from django_messente_dlr.polling.summary import Summary

__all__ = ["PollOutcome", "PollResult", "Poller", "Summary", "can_poll", "poll_now", "unpollable_reason"]
