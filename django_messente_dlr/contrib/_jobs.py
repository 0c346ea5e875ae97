"""What workers do, whoever runs them: a share of a poll, a sweep, a prune.

What is due is cut into shares by number alone. Which messages are in a share is decided by the claim of the worker
that has it, so that a share that is lost, late or too many does no harm.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr import polling
from django_messente_dlr.maintenance import sweep as maintenance_sweep
from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.models import PendingPoll

#: Messages in a share: some seconds of work, so that a worker that is asked to end has soon done so.
SHARE = 500
#: The greatest number of shares that one poll hands out: in a minute Messente takes hardly more questions.
SHARES = 20


def shares_due() -> int:
    """Return the number of shares that what is due now makes, at most `SHARES`."""
    due = PendingPoll.objects.due(timezone.now()).values("pk")[: SHARES * SHARE].count()
    return -(-due // SHARE)


def poll_share() -> dict[str, Any]:
    """Ask about one share of what is due; return the numbers of `polling.Summary`."""
    return asdict(polling.Poller(limit=SHARE).run(sweeping=False))


def sweep() -> dict[str, Any]:
    """Match orphans, send signals that were left unsent, ask the balances of accounts on hold; return the numbers."""
    return asdict(maintenance_sweep.sweep())


def prune(days: int) -> dict[str, int]:
    """Delete what has ended and is older; return how many rows.

    Args:
        days: keep what is younger than this many.

    Raises:
        ValueError: that is not at least 1.
    """
    if days < 1:
        raise ValueError(f"Keep at least 1 day, not {days}.")
    before = timezone.now() - timedelta(days=days)
    return {"messages": prune_messages(before), "orphans": prune_orphans(before)}
