"""Tasks of Django: poll, send, sweep, dispatch and prune (Django 6.0 and later, with any backend).

Django has no scheduler. Enqueue the tasks from cron or from another scheduler::

    from django_messente_dlr.contrib.tasks import poll, sweep

    poll.enqueue()
    sweep.enqueue()
"""

from __future__ import annotations

from typing import Any

from django_messente_dlr.contrib import _jobs

try:
    from django.tasks import task
except ModuleNotFoundError as exc:
    raise ImportError(
        "django_messente_dlr.contrib.tasks needs Django 6.0 or later. With an older Django, use Celery "
        "(django_messente_dlr.contrib.celery) or cron."
    ) from exc

__all__ = ["dispatch", "poll", "prune", "push_dispatch", "push_queue", "send_queued", "sweep"]


@task
def poll() -> dict[str, Any]:
    """Poll the due messages: run one share, and enqueue a task for each further share."""
    for _ in range(_jobs.shares_due() - 1):
        poll_share.enqueue()
    return _jobs.poll_share()


@task
def poll_share() -> dict[str, Any]:
    """Poll one share of the due messages."""
    return _jobs.poll_share()


@task
def sweep() -> dict[str, Any]:
    """Match orphan reports, send overdue signals, create missing polls, and check the accounts on credit hold."""
    return _jobs.sweep()


@task
def dispatch(report_pk: int | None = None) -> int:
    """Send the signals of a report, or of all reports that are due."""
    return _jobs.dispatch(report_pk)


def push_dispatch(report_pk: int | None) -> None:
    """Enqueue `dispatch` for a report that was committed: ``DISPATCH_PUSH`` for Django's tasks.

    Args:
        report_pk: the report's primary key; None for all that is due.
    """
    dispatch.enqueue(report_pk)


@task
def send_queued(message_pk: int | None = None) -> dict[str, Any]:
    """Send one queued message if it is due; or a share of all, and enqueue a task for each further share."""
    for _ in range(_jobs.queue_shares_due() - 1 if message_pk is None else 0):
        send_share.enqueue()
    return _jobs.send_share(message_pk)


@task
def send_share() -> dict[str, Any]:
    """Send one share of the queued messages that are due."""
    return _jobs.send_share()


def push_queue(message_pk: int | None) -> None:
    """Enqueue `send_queued` for a message that was committed: ``QUEUE_PUSH`` for Django's tasks.

    Args:
        message_pk: the message's primary key; None for all that is due.
    """
    send_queued.enqueue(message_pk)


@task
def prune(days: int) -> dict[str, Any]:
    """Delete messages that ended, and orphan reports that arrived, more than ``days`` ago."""
    return _jobs.prune(days)
