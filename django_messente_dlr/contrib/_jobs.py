"""The work of the tasks, independent of the task queue: poll or send a share of what is due, sweep, dispatch, prune.

Only the number of due messages determines the number of shares. The worker that runs a share claims the messages, so
a share that is lost, late or superfluous does no harm.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr import accounts, conf, polling, receiving
from django_messente_dlr import dispatch as dispatch_package
from django_messente_dlr.maintenance import sweep as maintenance_sweep
from django_messente_dlr.maintenance.pruning import prune_messages, prune_orphans
from django_messente_dlr.models import PendingPoll, QueuedMessage
from django_messente_dlr.sending.queue.worker import QueueWorker

#: The number of messages in a share. They take some seconds, so that a worker can shut down soon.
SHARE_SIZE = 500
#: The highest number of shares of one poll. Messente's rate limit admits hardly more requests in a minute.
MAX_SHARES = 20


def shares_due() -> int:
    """Return the number of shares of the messages that are due now, at most `MAX_SHARES`."""
    return _shares(PendingPoll.objects.due(timezone.now()))


def poll_share() -> dict[str, Any]:
    """Poll one share of the due messages; return the `polling.Summary` as a dictionary."""
    return asdict(polling.Poller(limit=SHARE_SIZE).run(sweeping=False))


def queue_shares_due() -> int:
    """Return the number of shares of the queued messages that can be sent now, at most `MAX_SHARES`."""
    names = set(conf.accounts()) - accounts.paused_accounts()
    return _shares(QueuedMessage.objects.due(timezone.now()).filter(account__in=names))


def send_share(message_pk: int | None = None) -> dict[str, Any]:
    """Send one share of the queued messages that are due; return the `QueueSummary` as a dictionary.

    Args:
        message_pk: the only message to send, if it is due; None for a share of all.
    """
    return asdict(QueueWorker(limit=SHARE_SIZE, message_pk=message_pk).run())


def sweep() -> dict[str, Any]:
    """Match orphan reports, send overdue signals, create missing polls, and check the accounts on credit hold.

    Returns the result as a dictionary of counts.
    """
    return asdict(maintenance_sweep.sweep())


def dispatch(report_pk: int | None = None) -> int:
    """Send the signals of a report if they are due and no other process sends them; return the number of reports.

    Args:
        report_pk: the report's primary key; None for all reports that are due, and ``credits_restored``.
    """
    if report_pk is None:
        return dispatch_package.dispatch_overdue(on_orphan=receiving.match_orphan)
    return int(dispatch_package.dispatch_due(report_pk, on_orphan=receiving.match_orphan))


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


def _shares(due: QuerySet[Any]) -> int:
    """Return the number of shares of rows that are due, at most `MAX_SHARES`."""
    return -(-due.values("pk")[: MAX_SHARES * SHARE_SIZE].count() // SHARE_SIZE)
