"""Celery tasks: poll, send, sweep, dispatch and prune (``pip install "django-messente-dlr[celery]"``).

Configure Celery to import this module, and beat to start the tasks::

    CELERY_IMPORTS = ["django_messente_dlr.contrib.celery"]
    CELERY_BEAT_SCHEDULE = {
        "messente-poll": {"task": "django_messente_dlr.poll", "schedule": 60, "options": {"expires": 50}},
        "messente-sweep": {"task": "django_messente_dlr.sweep", "schedule": 60, "options": {"expires": 50}},
        "messente-send": {"task": "django_messente_dlr.send_queued", "schedule": 60, "options": {"expires": 50}},
        "messente-prune": {"task": "django_messente_dlr.prune", "schedule": 86400, "kwargs": {"days": 180}},
    }

Any number of workers share the work. Each worker claims the messages that it polls. If a worker dies, other workers
poll its messages after their lease has expired. So the tasks need neither late acknowledgement nor retries.
"""

from __future__ import annotations

from typing import Any

from django_messente_dlr.contrib import _jobs

try:
    from celery import shared_task
except ModuleNotFoundError as exc:
    raise ImportError(
        'django_messente_dlr.contrib.celery needs Celery. Run: pip install "django-messente-dlr[celery]"'
    ) from exc

__all__ = ["dispatch", "poll", "prune", "push_dispatch", "push_queue", "send_queued", "sweep"]

# Seconds after which a waiting share is dropped: the next poll adds new ones.
EXPIRES = 50


@shared_task(name="django_messente_dlr.poll", ignore_result=True)
def poll() -> dict[str, Any]:
    """Poll the due messages: run one share, and enqueue a task for each further share."""
    for _ in range(_jobs.shares_due() - 1):
        poll_share.apply_async(expires=EXPIRES)
    return _jobs.poll_share()


@shared_task(name="django_messente_dlr.poll_share", ignore_result=True)
def poll_share() -> dict[str, Any]:
    """Poll one share of the due messages."""
    return _jobs.poll_share()


@shared_task(name="django_messente_dlr.sweep", ignore_result=True)
def sweep() -> dict[str, Any]:
    """Match orphan reports, send overdue signals, create missing polls, and check the accounts on credit hold."""
    return _jobs.sweep()


@shared_task(name="django_messente_dlr.dispatch", ignore_result=True)
def dispatch(report_pk: int | None = None) -> int:
    """Send the signals of a report, or of all reports that are due."""
    return _jobs.dispatch(report_pk)


def push_dispatch(report_pk: int | None) -> None:
    """Enqueue `dispatch` for a report that was committed: ``DISPATCH_PUSH`` for Celery.

    A broker that is down is not tried again, because Messente waits meanwhile. The sweep sends the signals.

    Args:
        report_pk: the report's primary key; None for all that is due.
    """
    dispatch.apply_async(args=(report_pk,), retry=False)


@shared_task(name="django_messente_dlr.send_queued", ignore_result=True)
def send_queued(message_pk: int | None = None) -> dict[str, Any]:
    """Send one queued message if it is due; or a share of all, and enqueue a task for each further share."""
    for _ in range(_jobs.queue_shares_due() - 1 if message_pk is None else 0):
        send_share.apply_async(expires=EXPIRES)
    return _jobs.send_share(message_pk)


@shared_task(name="django_messente_dlr.send_share", ignore_result=True)
def send_share() -> dict[str, Any]:
    """Send one share of the queued messages that are due."""
    return _jobs.send_share()


def push_queue(message_pk: int | None) -> None:
    """Enqueue `send_queued` for a message that was committed: ``QUEUE_PUSH`` for Celery.

    A broker that is down is not tried again, because the request of your project waits meanwhile. The next run of
    `send_queued` sends the message.

    Args:
        message_pk: the message's primary key; None for all that is due.
    """
    send_queued.apply_async(args=(message_pk,), retry=False)


@shared_task(name="django_messente_dlr.prune", ignore_result=True)
def prune(days: int) -> dict[str, Any]:
    """Delete messages that ended, and orphan reports that arrived, more than ``days`` ago."""
    return _jobs.prune(days)
