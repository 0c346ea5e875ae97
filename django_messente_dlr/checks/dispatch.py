"""Check that a process sends the signals of reports if the receivers are deferred, as far as settings show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr import conf
from django_messente_dlr.checks.push import check_push, is_scheduled

APP = "django_messente_dlr"
CELERY_PUSH = "django_messente_dlr.contrib.celery.push_dispatch"
# The periodic tasks that send all signals that are due.
DISPATCHING_TASKS = {"django_messente_dlr.sweep", "django_messente_dlr.dispatch"}


@register()
def check_dispatch(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check ``DISPATCH`` and ``DISPATCH_PUSH``."""
    try:
        config = conf.get_config()
    except ImproperlyConfigured:
        return []  # E001 reports it
    if config.dispatch != "deferred":
        return list(_check_unused_push(config))
    return list(_check_push(config.dispatch_push) if config.dispatch_push else _check_schedule())


def _check_unused_push(config: conf.Config) -> Iterator[CheckMessage]:
    if config.dispatch_push:
        yield Warning(
            'DISPATCH_PUSH is set and DISPATCH is not "deferred", so it is never called.',
            hint='Set DISPATCH to "deferred", or remove DISPATCH_PUSH.',
            id=f"{APP}.W022",
        )


def _check_push(path: str) -> Iterator[CheckMessage]:
    yield from check_push(
        "DISPATCH_PUSH",
        path,
        function="push_dispatch",
        takes="the primary key of a report, or None",
        hint="The immediate backend calls the receivers in the web process.",
        error_id=f"{APP}.E020",
        warning_id=f"{APP}.W021",
    )


def _check_schedule() -> Iterator[CheckMessage]:
    """Check for a periodic task of Celery. The settings do not show whether cron or systemd runs a command."""
    if not is_scheduled(DISPATCHING_TASKS):
        yield Warning(
            'DISPATCH is "deferred", and no setting shows which process sends the signals.',
            hint=f"Set DISPATCH_PUSH, for example to {CELERY_PUSH}. If dispatch_dlrs --watch or poll_dlrs runs, "
            "silence this check; messente_doctor reports signals that are late.",
            id=f"{APP}.W020",
        )
