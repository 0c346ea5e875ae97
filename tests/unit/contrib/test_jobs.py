"""The tasks of `contrib`, once with Celery and once with Django's tasks, without a broker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import django
import pytest
from celery import Celery
from django.db import transaction
from django.utils import timezone

from django_messente_dlr import dispatch
from django_messente_dlr.backends import locmem
from django_messente_dlr.contrib import _jobs
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sending import queue_many, queue_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, DeliveryReportFactory, SmsMessageFactory
from django_messente_dlr.testing.signals import SignalLog
from tests.unit.messente.answering import FIRST, Messente
from tests.unit.polling.rows import REPORT, due, seen

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
NAMES = ["dispatch", "poll", "poll_share", "prune", "send_queued", "send_share", "sweep"]
Run = Callable[..., Any]


@pytest.fixture
def messente(settings: Any) -> Iterator[Messente]:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": [FIRST]}
    with Messente() as messente:
        yield messente


def with_celery(settings: Any) -> Run:
    from django_messente_dlr.contrib import celery as tasks

    app = Celery("tests", set_as_current=True)
    app.conf.update(task_always_eager=True, task_eager_propagates=True, task_store_eager_result=False)

    def run(name: str, **arguments: Any) -> Any:
        return getattr(tasks, name).delay(**arguments).get()

    return run


def with_django(settings: Any) -> Run:
    if django.VERSION < (6, 0):
        pytest.skip("Django has tasks since 6.0")
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
    from django_messente_dlr.contrib import tasks

    def run(name: str, **arguments: Any) -> Any:
        result = getattr(tasks, name).enqueue(**arguments)
        assert result.status == "SUCCESSFUL", result.errors
        return result.return_value

    return run


@pytest.fixture(params=[with_celery, with_django])
def run(request: pytest.FixtureRequest, settings: Any) -> Run:
    """Return a function that runs a task by name and returns its result."""
    run_task: Run = request.param(settings)
    return run_task


def test_poll__due_message(run: Run, messente: Messente) -> None:
    message = due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert run("poll")["final"] == 1
    assert seen(message).status == "delivered"


def test_poll__several_shares(run: Run, messente: Messente, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jobs, "SHARE_SIZE", 2)
    for _ in range(7):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    assert _jobs.shares_due() == 4
    run("poll")
    assert SmsMessage.objects.delivered().count() == len(messente.calls) == 7


def test_poll__max_shares(run: Run, messente: Messente, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jobs, "SHARE_SIZE", 1)
    monkeypatch.setattr(_jobs, "MAX_SHARES", 3)
    for _ in range(5):
        due()
    messente.answer(FIRST, REPORT, "OK DELIVERED")
    run("poll")
    assert len(messente.calls) == 3


def test_poll__nothing_due(run: Run, messente: Messente) -> None:
    assert _jobs.shares_due() == 0
    assert run("poll")["asked"] == 0


def test_poll_share__nothing_due(run: Run, messente: Messente) -> None:
    assert run("poll_share")["asked"] == 0


def test_sweep__orphan_and_overdue_signals(run: Run) -> None:
    message = SmsMessageFactory.create()
    DeliveryReportFactory.create(message=None, sms_unique_id=message.sms_unique_id)
    overdue = timezone.now() - timedelta(minutes=1)
    DeliveryReportFactory.create(dispatch_due_at=overdue, dispatched_at=None)
    assert run("sweep") == {"matched": 1, "dispatched": 1, "scheduled": 0, "held": {}}
    assert seen(message).status == "delivered"


def test_dispatch__one_report(run: Run, dlr_signals: SignalLog) -> None:
    first, second = DeliveryReportFactory.create_batch(2, dispatch_due_at=timezone.now(), dispatched_at=None)
    assert run("dispatch", report_pk=second.pk) == 1
    assert run("dispatch", report_pk=second.pk) == 0
    assert list(DeliveryReport.objects.undispatched()) == [first]
    assert dlr_signals.names == ["dlr_received"]


def test_dispatch__everything_that_is_due(run: Run, dlr_signals: SignalLog) -> None:
    DeliveryReportFactory.create_batch(2, dispatch_due_at=timezone.now(), dispatched_at=None)
    AccountFactory.create(restored_dispatch_due_at=timezone.now())
    assert run("dispatch") == 2
    assert dlr_signals.names == ["dlr_received", "dlr_received", "credits_restored"]


@pytest.mark.parametrize(("queue", "module"), [(with_celery, "celery"), (with_django, "tasks")])
def test_push_dispatch__of_a_callback(
    queue: Callable[[Any], Run], module: str, settings: Any, dlr_signals: SignalLog
) -> None:
    """The workers of these tests run a task at once, in the process that enqueues it."""
    queue(settings)
    push = f"django_messente_dlr.contrib.{module}.push_dispatch"
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "DISPATCH": "deferred", "DISPATCH_PUSH": push}
    simulate_callback(SmsMessageFactory.create())
    assert dlr_signals.names == ["dlr_received", "dlr_status_changed", "dlr_delivered"]
    assert not DeliveryReport.objects.undispatched().exists()


def test_push_dispatch__broker_is_down(settings: Any, dlr_signals: SignalLog) -> None:
    """The error is logged, not raised, and the broker is tried once."""
    from django_messente_dlr.contrib import celery as tasks

    settings.MESSENTE_DLR = {
        **settings.MESSENTE_DLR,
        "DISPATCH": "deferred",
        "DISPATCH_PUSH": f"{tasks.__name__}.push_dispatch",
    }
    app = Celery("tests", broker="memory://", set_as_current=True)
    with mock.patch.object(app.amqp, "send_task_message", side_effect=ConnectionRefusedError) as send:
        assert simulate_callback(SmsMessageFactory.create()).status_code == 200
    assert send.call_count == 1
    assert send.call_args.kwargs["retry"] is False
    assert dlr_signals == []
    assert dispatch.dispatch_overdue() == 1


@pytest.fixture
def outbox(settings: Any) -> list[Any]:
    """Send to the list in memory."""
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "BACKEND": "django_messente_dlr.backends.locmem.Backend"}
    locmem.outbox.clear()
    return locmem.outbox


def test_send_queued__several_shares(run: Run, outbox: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jobs, "SHARE_SIZE", 2)
    queue_many({"to": "+37255500000", "text": str(number)} for number in range(7))
    assert _jobs.queue_shares_due() == 4
    run("send_queued")
    assert len(outbox) == SmsMessage.objects.filter(status="sent").count() == 7


def test_send_queued__one_message(run: Run, outbox: list[Any]) -> None:
    queue_sms("+37255500000", "first")
    second = queue_sms("+37255500000", "second")
    assert run("send_queued", message_pk=second.pk)["sent"] == 1
    assert run("send_queued", message_pk=second.pk)["sent"] == 0
    assert [message.text for message in outbox] == ["second"]


def test_send_queued__held_account_needs_no_shares(outbox: list[Any]) -> None:
    AccountFactory.create(name="default", credits_exhausted_at=timezone.now())
    queue_sms("+37255500000", "Tere")
    assert _jobs.queue_shares_due() == 0


@pytest.mark.parametrize(("queue", "module"), [(with_celery, "celery"), (with_django, "tasks")])
def test_push_queue__sends_after_the_commit(
    queue: Callable[[Any], Run], module: str, settings: Any, outbox: list[Any]
) -> None:
    """The workers of these tests run a task at once, in the process that enqueues it."""
    queue(settings)
    push = f"django_messente_dlr.contrib.{module}.push_queue"
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "QUEUE_PUSH": push}
    with transaction.atomic():
        message = queue_sms("+37255500000", "Tere")
        assert outbox == []
    assert seen(message).status == "sent"
    queue_many({"to": "+37255500000", "text": str(number)} for number in range(3))
    assert len(outbox) == 4


def test_prune__old_rows(run: Run) -> None:
    old = timezone.now() - timedelta(days=31)
    SmsMessageFactory.create(status="delivered", created_at=old)
    recent = SmsMessageFactory.create(status="delivered")
    DeliveryReportFactory.create(message=None, received_at=old)
    assert run("prune", days=30) == {"messages": 1, "orphans": 1, "protected": {}}
    assert SmsMessage.objects.get() == recent
    assert not DeliveryReport.objects.exists()


def test_prune__days_below_1() -> None:
    with pytest.raises(ValueError, match="at least 1 day"):
        _jobs.prune(0)


def test_documented_schedule__existing_tasks() -> None:
    from django_messente_dlr.contrib import celery as tasks

    assert sorted(getattr(tasks, name).name for name in NAMES) == [f"django_messente_dlr.{name}" for name in NAMES]
    for text in (tasks.__doc__ or "", (ROOT / "docs" / "howto" / "celery.rst").read_text("utf-8")):
        task_names = set(re.findall(r'"task": "([a-z_.]+)"', text))
        assert task_names == {f"django_messente_dlr.{name}" for name in ("poll", "prune", "send_queued", "sweep")}
