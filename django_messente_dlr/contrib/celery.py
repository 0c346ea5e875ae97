"""Celery tasks: poll, sweep and prune (``pip install "django-messente-dlr[celery]"``).

Have Celery import this module, and beat start the tasks::

    CELERY_IMPORTS = ["django_messente_dlr.contrib.celery"]
    CELERY_BEAT_SCHEDULE = {
        "messente-poll": {"task": "django_messente_dlr.poll", "schedule": 60, "options": {"expires": 50}},
        "messente-sweep": {"task": "django_messente_dlr.sweep", "schedule": 60, "options": {"expires": 50}},
        "messente-prune": {"task": "django_messente_dlr.prune", "schedule": 86400, "kwargs": {"days": 180}},
    }

Any number of workers share the work: each claims what it asks about, and what a worker that dies has claimed is asked
about when its lease has run out. So the tasks need neither late acknowledgement nor retries.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from django_messente_dlr.contrib import _jobs

# Seconds after which a share that no worker has taken is worthless: the next poll hands out new ones.
EXPIRES = 50


@shared_task(name="django_messente_dlr.poll", ignore_result=True)
def poll() -> dict[str, Any]:
    """Ask about what is due: hand out what is more than one share, and take one."""
    for _ in range(_jobs.shares_due() - 1):
        poll_share.apply_async(expires=EXPIRES)
    return _jobs.poll_share()


@shared_task(name="django_messente_dlr.poll_share", ignore_result=True)
def poll_share() -> dict[str, Any]:
    """Ask about one share of what is due."""
    return _jobs.poll_share()


@shared_task(name="django_messente_dlr.sweep", ignore_result=True)
def sweep() -> dict[str, Any]:
    """Do what was left undone."""
    return _jobs.sweep()


@shared_task(name="django_messente_dlr.prune", ignore_result=True)
def prune(days: int) -> dict[str, int]:
    """Delete what has ended and is older than ``days``."""
    return _jobs.prune(days)
