"""Asks Messente about the messages whose reports did not come: claim, ask, record, and say when to ask again.

Threads ask; the thread that runs the `Poller` alone speaks with the database, in short transactions, none of which is
open while a question is under way. A claim whose process dies runs out by itself.
"""

from __future__ import annotations

from django_messente_dlr.polling.poll_now import can_be_asked, poll_now, why_not_askable
from django_messente_dlr.polling.poller import Poller
from django_messente_dlr.polling.results import Outcome, Result
from django_messente_dlr.polling.summary import Summary

__all__ = ["Outcome", "Poller", "Result", "Summary", "can_be_asked", "poll_now", "why_not_askable"]
