"""Django's own tasks: poll, sweep and prune (Django 6.0 and later, with a backend of the project's choice).

Django has no clock of its own: have cron, or whatever starts things in the project, enqueue them::

    from django_messente_dlr.contrib.tasks import poll, sweep

    poll.enqueue()
    sweep.enqueue()
"""

from __future__ import annotations

from typing import Any

from django.tasks import task

from django_messente_dlr.contrib import _jobs


@task
def poll() -> dict[str, Any]:
    """Ask about what is due: hand out what is more than one share, and take one."""
    for _ in range(_jobs.shares_due() - 1):
        poll_share.enqueue()
    return _jobs.poll_share()


@task
def poll_share() -> dict[str, Any]:
    """Ask about one share of what is due."""
    return _jobs.poll_share()


@task
def sweep() -> dict[str, Any]:
    """Do what was left undone."""
    return _jobs.sweep()


@task
def prune(days: int) -> dict[str, int]:
    """Delete what has ended and is older than ``days``."""
    return _jobs.prune(days)
