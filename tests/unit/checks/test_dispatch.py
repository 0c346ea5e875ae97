"""The system checks of deferred receivers: each mistake has its id, and correct settings have no message."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from django_messente_dlr.checks import check_dispatch
from django_messente_dlr.checks.dispatch import CELERY_PUSH

TASKS_PUSH = "django_messente_dlr.contrib.tasks.push_dispatch"
HERE = "tests.unit.checks.test_dispatch"
NOT_CALLABLE = "a string"
DEFERRED = {"DISPATCH": "deferred"}
BACKEND_WITH_WORKERS = {"default": {"BACKEND": f"{HERE}.BackendWithWorkers"}}
MISSING_BACKEND = {"default": {"BACKEND": "no_such_package.Backend"}}
IMMEDIATE_BACKEND = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
BEAT = {"sweep": {"task": "django_messente_dlr.sweep", "schedule": 60}}
OTHER_BEAT = {"poll": {"task": "django_messente_dlr.poll", "schedule": 60}}


try:
    from django.tasks.backends.dummy import DummyBackend
except ModuleNotFoundError:  # Django has tasks since 6.0
    pass
else:

    class BackendWithWorkers(DummyBackend):
        """A backend of a project, about which the check knows nothing."""


def push(report_pk: int | None) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("values", "project_settings", "expected"),
    [
        ({}, {}, []),
        ({"DISPATCH": "inline"}, {}, []),
        ({"DISPATCH_PUSH": f"{HERE}.push"}, {}, ["W022"]),
        (DEFERRED, {}, ["W020"]),
        (DEFERRED, {"CELERY_BEAT_SCHEDULE": BEAT}, []),
        (DEFERRED, {"CELERY_BEAT_SCHEDULE": OTHER_BEAT}, ["W020"]),
        (DEFERRED, {"CELERY_BEAT_SCHEDULE": None}, ["W020"]),
        ({**DEFERRED, "DISPATCH_PUSH": f"{HERE}.push"}, {}, []),
        ({**DEFERRED, "DISPATCH_PUSH": CELERY_PUSH}, {}, []),
        ({**DEFERRED, "DISPATCH_PUSH": f"{HERE}.no_such_function"}, {}, ["E020"]),
        ({**DEFERRED, "DISPATCH_PUSH": "no_such_module.push"}, {}, ["E020"]),
        ({**DEFERRED, "DISPATCH_PUSH": f"{HERE}.NOT_CALLABLE"}, {}, ["E020"]),
        ({**DEFERRED, "DISPATCH": 5}, {}, []),  # E001 reports it
    ],
)
def test_check_dispatch__ids(
    settings: Any, values: dict[str, Any], project_settings: dict[str, Any], expected: list[str]
) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}
    for name, value in project_settings.items():
        setattr(settings, name, value)
    messages = check_dispatch(None)
    assert [str(message.id).removeprefix("django_messente_dlr.") for message in messages] == expected
    assert all(message.hint and message.msg.endswith(".") for message in messages)


@pytest.mark.parametrize(
    ("backends", "expected"),
    [(BACKEND_WITH_WORKERS, []), (IMMEDIATE_BACKEND, ["W021"]), (MISSING_BACKEND, ["E020"])],
)
def test_check_dispatch__backend_of_tasks(
    settings: Any, monkeypatch: pytest.MonkeyPatch, backends: dict[str, Any], expected: list[str]
) -> None:
    pytest.importorskip("django.tasks", reason="Django has tasks since 6.0")
    # The module reads TASKS when it is imported, which another test may have caused already.
    monkeypatch.delitem(sys.modules, "django_messente_dlr.contrib.tasks", raising=False)
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **DEFERRED, "DISPATCH_PUSH": TASKS_PUSH}
    settings.TASKS = backends
    assert [str(message.id)[-4:] for message in check_dispatch(None)] == expected
