"""The sweep creates the pending polls of messages that a project has inserted without one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_messente_dlr.maintenance import missing_polls
from django_messente_dlr.maintenance.missing_polls import create_missing_polls
from django_messente_dlr.maintenance.sweep import sweep
from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.isolation import run_on_other_connection
from tests.locking import GENEROUS
from tests.unit.maintenance.interfering import just_before

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
HOUR_AGO = timezone.now() - HOUR


def imported(number: int = 1, *, created_at: datetime = HOUR_AGO, **attributes: Any) -> list[SmsMessage]:
    """Insert messages as a project does, without their pending polls."""
    status = Status(attributes.pop("status", Status.SENT))
    first = SmsMessage.objects.count()
    rows = (
        SmsMessage(
            **{"account": "default", "sms_unique_id": f"id-{first + index}", **attributes},
            status=status,
            rank=status.rank,
            created_at=created_at,
        )
        for index in range(number)
    )
    SmsMessage.objects.bulk_create(rows)
    return list(SmsMessage.objects.order_by("pk")[first:])


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENT])
@pytest.mark.parametrize("ids", [{"sms_unique_id": "an-id"}, {"sms_unique_id": None, "omnimessage_id": "an-omni-id"}])
def test_sweep__schedules_an_imported_message(status: Status, ids: dict[str, Any]) -> None:
    imported(status=status, account="marketing", **ids)
    started = timezone.now()
    assert sweep().scheduled == 1
    poll = PendingPoll.objects.get()
    assert poll.account == "marketing"
    assert started <= poll.due_at <= timezone.now()
    assert sweep().scheduled == 0


def test_sweep__schedules_the_first_poll_after_the_grace(settings: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "POLL_GRACE": 7200}
    (message,) = imported(created_at=HOUR_AGO - HOUR, sent_at=HOUR_AGO)
    assert sweep().scheduled == 1
    assert message.next_poll_at == HOUR_AGO + 2 * HOUR


@pytest.mark.parametrize("status", [status for status in Status if status.rank >= Status.UNRESOLVED.rank])
def test_sweep__skips_a_message_that_is_not_pending(status: Status) -> None:
    imported(status=status)
    assert sweep().scheduled == 0
    assert not PendingPoll.objects.exists()
    assert not SmsMessage.objects.filter(may_lack_poll=True).exists()


def test_sweep__skips_a_message_without_an_id() -> None:
    """It may be a draft. `mark_sent` schedules it, and the sweep does once it has an id."""
    draft, other = imported(2, status=Status.QUEUED, sms_unique_id=None)
    assert sweep().scheduled == 0
    mark_sent(draft, "an-id")
    SmsMessage.objects.filter(pk=other.pk).update(sms_unique_id="another-id")
    assert draft.next_poll_at is not None
    assert not SmsMessage.objects.get(pk=draft.pk).may_lack_poll
    assert sweep().scheduled == 1
    assert SmsMessage.objects.get(pk=other.pk).next_poll_at is not None


def test_sweep__leaves_time_for_the_polls_of_the_project() -> None:
    (message,) = imported(created_at=timezone.now())
    assert sweep().scheduled == 0
    due_at = timezone.now() + 5 * HOUR
    PendingPoll.objects.create(message=message, account="default", due_at=due_at)
    assert create_missing_polls(timezone.now() + HOUR) == 0
    assert SmsMessage.objects.get().next_poll_at == due_at
    assert not SmsMessage.objects.get().may_lack_poll


def test_sweep__leaves_the_messages_of_this_app() -> None:
    messages = [prepare_sms("+37255500000"), track_sms("an-id", sent_at=HOUR_AGO), SmsMessageFactory.create()]
    due = dict(PendingPoll.objects.values_list("pk", "due_at"))
    assert [message.may_lack_poll for message in messages] == [False] * 3
    assert create_missing_polls(timezone.now() + HOUR) == 0
    assert dict(PendingPoll.objects.values_list("pk", "due_at")) == due


def test_insert_by_sql__is_found() -> None:
    """An import by SQL does not know the column."""
    (message,) = imported()
    fields = [field for field in SmsMessage._meta.concrete_fields if not (field.generated or field.primary_key)]
    columns = [field.attname for field in fields if field.name != "may_lack_poll"]
    table = SmsMessage._meta.db_table
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    values = names.replace(connection.ops.quote_name("sms_unique_id"), "'another-id'")
    sweep()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE id = %s", [message.pk])
    assert sweep().scheduled == 1
    assert SmsMessage.objects.get(sms_unique_id="another-id").next_poll_at is not None


def test_create_missing_polls__batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_polls, "BATCH", 2)
    monkeypatch.setattr(missing_polls, "MAX_BATCHES", 3)
    imported(7)
    assert create_missing_polls() == 6
    assert create_missing_polls() == 1
    assert PendingPoll.objects.count() == 7


def test_create_missing_polls__one_query_without_such_messages() -> None:
    SmsMessageFactory.create_batch(3)
    with CaptureQueriesContext(connection) as queries:
        assert create_missing_polls() == 0
    assert len(queries) == 1


def test_create_missing_polls__at_the_same_time() -> None:
    imported(40)

    def run() -> int:
        try:
            return create_missing_polls()
        finally:
            connection.close()

    if connection.vendor == "sqlite":  # a database in memory has one connection
        numbers = [create_missing_polls() for _ in range(2)]
    else:
        with ThreadPoolExecutor(4) as pool:
            numbers = [future.result(GENEROUS) for future in [pool.submit(run) for _ in range(4)]]
        numbers.append(create_missing_polls())  # a row that was locked is left to the next one
    assert sum(numbers) == PendingPoll.objects.count() == 40


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
class TestInterference:
    def test_create_missing_polls__message_is_delivered_meanwhile(self) -> None:
        (message,) = imported()
        with just_before("FOR UPDATE", lambda: run_on_other_connection(lambda: simulate_callback(message))):
            assert create_missing_polls() == 0
        assert SmsMessage.objects.get().status == "delivered"
        assert not PendingPoll.objects.exists()

    def test_create_missing_polls__project_inserts_the_poll_meanwhile(self) -> None:
        (message,) = imported()
        due_at = timezone.now() + 5 * HOUR
        poll = PendingPoll(message=message, account="default", due_at=due_at)
        with just_before("FOR UPDATE", lambda: run_on_other_connection(lambda: poll.save(force_insert=True))):
            assert create_missing_polls() == 0
        assert SmsMessage.objects.get().next_poll_at == due_at

    def test_create_missing_polls__skips_locked_messages(self) -> None:
        if not connection.features.has_select_for_update_skip_locked:
            pytest.skip("This release of the database waits for locked rows.")
        locked, other = imported(2)
        with transaction.atomic():
            SmsMessage.objects.select_for_update().get(pk=locked.pk)
            run_on_other_connection(create_missing_polls)
        assert list(PendingPoll.objects.values_list("pk", flat=True)) == [other.pk]
        assert create_missing_polls() == 1


def test_migration__flags_the_existing_messages_that_lack_a_poll() -> None:
    lacking, delivered = (*imported(), *imported(status=Status.DELIVERED)[:1])
    scheduled = SmsMessageFactory.create()
    SmsMessage.objects.update(may_lack_poll=False)
    migration = import_module("django_messente_dlr.migrations.0003_may_lack_poll")
    migration.flag_messages(apps, SimpleNamespace(connection=connection))
    assert SmsMessage.objects.get(may_lack_poll=True) == lacking
    assert {delivered, scheduled} == set(SmsMessage.objects.filter(may_lack_poll=False))
