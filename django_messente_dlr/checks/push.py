"""Check which process does deferred work: by ``DISPATCH_PUSH`` or ``QUEUE_PUSH``, or by a schedule of Celery."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

BACKENDS_WITHOUT_WORKERS = {
    "django.tasks.backends.immediate.ImmediateBackend",
    "django.tasks.backends.dummy.DummyBackend",
}


def check_push(
    name: str, path: str, *, function: str, takes: str, hint: str, error_id: str, warning_id: str
) -> Iterator[CheckMessage]:
    """Yield an error if a path names no function, and a warning if it enqueues tasks that no worker runs.

    Args:
        name: the name of the setting.
        path: its value.
        function: the name of the function in `contrib.celery` and in `contrib.tasks`.
        takes: what the function takes, for the hint.
        hint: what a backend without workers would do.
        error_id: the id of the error.
        warning_id: the id of the warning.
    """
    try:
        push = import_string(path)
    except (ImportError, ImproperlyConfigured) as exc:  # the module of Django's tasks reads TASKS when it is imported
        yield Error(
            f"{name}, {path}, cannot be imported ({exc}).",
            hint=f"Correct the dotted path, such as django_messente_dlr.contrib.celery.{function}.",
            id=error_id,
        )
        return
    if not callable(push):
        yield Error(f"{name}, {path}, is not callable.", hint=f"Name a function that takes {takes}.", id=error_id)
    elif path == f"django_messente_dlr.contrib.tasks.{function}" and _backend() in BACKENDS_WITHOUT_WORKERS:
        yield Warning(
            f"{name} enqueues tasks, and the backend in TASKS is {_backend()}, which has no workers.",
            hint=f"Set a backend with workers. {hint}",
            id=warning_id,
        )


def is_scheduled(tasks: Collection[str]) -> bool:
    """Return whether ``CELERY_BEAT_SCHEDULE`` has one of these tasks. No setting shows cron and systemd.

    Args:
        tasks: the names of the tasks.
    """
    schedule = getattr(settings, "CELERY_BEAT_SCHEDULE", {})
    entries = schedule.values() if isinstance(schedule, Mapping) else ()
    return any(isinstance(entry, Mapping) and entry.get("task") in tasks for entry in entries)


def _backend() -> str:
    """Return the dotted path of the default backend of Django's tasks; "" if Django has none."""
    tasks: Any = getattr(settings, "TASKS", {})
    return str(tasks.get("default", {}).get("BACKEND", ""))
