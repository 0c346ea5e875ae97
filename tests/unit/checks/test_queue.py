"""The system checks of the send queue: each mistake has its id, and correct settings have no message."""

from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.checks import check_queue

HERE = "tests.unit.checks.test_queue"
NOT_CALLABLE = "a string"


def push(message_pk: int | None) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"QUEUE_PUSH": f"{HERE}.push"}, []),
        ({"QUEUE_PUSH": "django_messente_dlr.contrib.celery.push_queue"}, []),
        ({"QUEUE_PUSH": f"{HERE}.no_such_function"}, ["E032"]),
        ({"QUEUE_PUSH": f"{HERE}.NOT_CALLABLE"}, ["E032"]),
        ({"QUEUE_BULK": True, "SEND_API": "omnichannel"}, ["W026"]),
        ({"QUEUE_BULK": True, "SEND_API": "sms"}, ["W026", "W024"]),
        ({"QUEUE_LEASE": 40, "QUEUE_PUSH": f"{HERE}.push"}, ["W025"]),
        ({"QUEUE_LEASE": 40, "TOTAL_TIMEOUT": 15}, ["W026"]),
        ({"QUEUE_LEASE": "long"}, []),  # E001 reports it
        ({"RESEND": {"attempts": 3, "backoff": [60]}, "STORE_TEXT": True}, ["W026"]),
        ({"RESEND": {"attempts": 3, "backoff": [60]}, "QUEUE_PUSH": f"{HERE}.push"}, ["I001"]),
    ],
)
def test_check_queue__ids(settings: Any, values: dict[str, Any], expected: list[str]) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}
    messages = check_queue(None)
    assert [str(message.id).removeprefix("django_messente_dlr.") for message in messages] == expected
    assert all(message.hint and message.msg.endswith(".") for message in messages)


def test_check_queue__backend_without_workers(settings: Any) -> None:
    pytest.importorskip("django.tasks", reason="Django has tasks since 6.0")
    push = "django_messente_dlr.contrib.tasks.push_queue"
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_PUSH": push}
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
    assert [str(message.id)[-4:] for message in check_queue(None)] == ["W023"]


def test_check_queue__scheduled_by_celery(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_RATE": 50}
    settings.CELERY_BEAT_SCHEDULE = {"poll": {"task": "django_messente_dlr.poll", "schedule": 60}}
    assert [str(message.id)[-4:] for message in check_queue(None)] == ["W026"]
    settings.CELERY_BEAT_SCHEDULE["send"] = {"task": "django_messente_dlr.send_queued", "schedule": 60}
    assert check_queue(None) == []
