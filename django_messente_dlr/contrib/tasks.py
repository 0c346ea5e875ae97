"""Tasks of Django: poll, sweep and prune (Django 6.0 and later, with any backend).

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

__all__ = ["poll", "prune", "sweep"]


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
def prune(days: int) -> dict[str, Any]:
    """Delete messages that ended, and orphan reports that arrived, more than ``days`` ago."""
    return _jobs.prune(days)
