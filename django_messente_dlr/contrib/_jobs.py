"""The work of the tasks, independent of the task queue: poll a share of the due messages, sweep, prune.

Only the number of due messages determines the number of shares. The worker that runs a share claims the messages, so
a share that is lost, late or superfluous does no harm.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr import polling
from django_messente_dlr.maintenance import sweep as maintenance_sweep
from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.models import PendingPoll

#: The number of messages in a share. They take some seconds, so that a worker can shut down soon.
SHARE_SIZE = 500
#: The highest number of shares of one poll. Messente's rate limit admits hardly more requests in a minute.
MAX_SHARES = 20


def shares_due() -> int:
    """Return the number of shares of the messages that are due now, at most `MAX_SHARES`."""
    due = PendingPoll.objects.due(timezone.now()).values("pk")[: MAX_SHARES * SHARE_SIZE].count()
    return -(-due // SHARE_SIZE)


def poll_share() -> dict[str, Any]:
    """Poll one share of the due messages; return the `polling.Summary` as a dictionary."""
    return asdict(polling.Poller(limit=SHARE_SIZE).run(sweeping=False))


def sweep() -> dict[str, Any]:
    """Match orphan reports, send overdue signals, create missing polls, and check the accounts on credit hold.

    Returns the result as a dictionary of counts.
    """
    return asdict(maintenance_sweep.sweep())


def prune(days: int) -> dict[str, Any]:
    """Delete messages that ended, and orphan reports that arrived, more than ``days`` ago.

    Returns the numbers of both and, by the label of the project's model, of the rows that its rows protect.

    Args:
        days: the number of days.

    Raises:
        ValueError: ``days`` is less than 1.
    """
    if days < 1:
        raise ValueError(f"Keep at least 1 day, not {days}.")
    cutoff = timezone.now() - timedelta(days=days)
    messages, orphans = prune_messages(cutoff), prune_orphans(cutoff)
    protected = Counter(messages.protected) + Counter(orphans.protected)
    return {"messages": messages.deleted, "orphans": orphans.deleted, "protected": dict(protected)}
