"""``prune_dlrs`` deletes only old rows that need no further work."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from shop.models import Note, Order

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory
from tests.ledger.models import Receipt

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(days=91)


OLDER = timezone.now() - timedelta(days=300)
RECENT = timezone.now() - timedelta(days=89)


def on_delete(model: type[models.Model], field: str, action: Any) -> Any:
    """Give a foreign key of the project another ``on_delete``."""
    return mock.patch.object(model._meta.get_field(field).remote_field, "on_delete", action)


def prune(*arguments: str) -> str:
    out = StringIO()
    call_command("prune_dlrs", "--days=90", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("status", "is_kept"),
    [
        (Status.QUEUED, True),
        (Status.SENT, True),
        (Status.UNRESOLVED, False),
        (Status.FAILED, False),
        (Status.REJECTED, False),
        (Status.CANCELLED, False),
        (Status.DELIVERED, False),
        (Status.SEEN, False),
    ],
)
def test_prune_dlrs__statuses(status: Status, *, is_kept: bool) -> None:
    report = DeliveryReportFactory.create(message__status=status, message__created_at=OLD)
    prune()
    assert SmsMessage.objects.exists() is is_kept
    assert DeliveryReport.objects.filter(pk=report.pk).exists() is is_kept


@pytest.mark.parametrize(
    ("values", "is_kept"),
    [({}, False), ({"created_at": RECENT}, True), ({"send_at": OLD}, True), ({"omnimessage_id": "X"}, True)],
)
def test_prune_dlrs__message_that_was_never_sent(values: dict[str, Any], *, is_kept: bool) -> None:
    SmsMessageFactory.create(**{"prepared": True, "created_at": OLD, **values})
    prune()
    assert SmsMessage.objects.exists() is is_kept


def test_prune_dlrs__recent_message() -> None:
    report = DeliveryReportFactory.create(message__status=Status.DELIVERED)
    assert "deleted 0 messages and 0 orphan reports" in prune()
    assert DeliveryReport.objects.filter(pk=report.pk).exists()


def test_prune_dlrs__message_with_unsent_signals() -> None:
    report = DeliveryReportFactory.create(
        message__status=Status.DELIVERED, message__created_at=OLD, dispatch_due_at=OLD, dispatched_at=None
    )
    prune()
    assert SmsMessage.objects.get() == report.message


def test_prune_dlrs__orphan_with_unsent_signals() -> None:
    orphan = DeliveryReportFactory.create(message=None, received_at=OLD, dispatch_due_at=OLD, dispatched_at=None)
    assert "deleted 0 messages and 0 orphan reports" in prune()
    assert DeliveryReport.objects.get() == orphan


@pytest.mark.parametrize(("received_at", "is_kept"), [(OLD, False), (timezone.now(), True)])
def test_prune_dlrs__orphans_by_time_of_receipt(received_at: object, *, is_kept: bool) -> None:
    orphan = DeliveryReportFactory.create(message=None, sms_unique_id="unknown-id", received_at=received_at)
    prune()
    assert DeliveryReport.objects.filter(pk=orphan.pk).exists() is is_kept


def test_prune_dlrs__batches() -> None:
    SmsMessageFactory.create_batch(3, status=Status.SENT, created_at=OLD)
    SmsMessageFactory.create_batch(5, status=Status.DELIVERED, created_at=OLD)
    recent = SmsMessageFactory.create(status=Status.DELIVERED)
    DeliveryReportFactory.create_batch(5, message=None, received_at=OLD)
    assert "deleted 5 messages and 5 orphan reports" in prune("--batch-size=2")
    assert SmsMessage.objects.filter(status=Status.DELIVERED).get() == recent
    assert SmsMessage.objects.filter(status=Status.SENT).count() == 3


@pytest.mark.parametrize(
    ("attributes", "is_kept"),
    [
        ({"status": Status.DELIVERED, "created_at": OLD, "finalised_at": RECENT}, True),
        ({"status": Status.DELIVERED, "created_at": OLDER, "finalised_at": OLD}, False),
        ({"status": Status.DELIVERED, "created_at": OLD, "finalised_at": None}, False),  # imported
        ({"status": Status.DELIVERED, "created_at": RECENT, "finalised_at": None}, True),
        ({"status": Status.DELIVERED, "created_at": RECENT, "finalised_at": OLD}, True),
        ({"status": Status.UNRESOLVED, "created_at": OLD, "sent_at": None}, False),
        ({"status": Status.UNRESOLVED, "created_at": OLD, "sent_at": RECENT}, True),  # sent at a set time
        ({"status": Status.SEEN, "created_at": OLD, "finalised_at": RECENT}, True),
    ],
)
def test_prune_dlrs__counts_days_from_the_end(attributes: dict[str, Any], *, is_kept: bool) -> None:
    SmsMessageFactory.create(**attributes)
    deleted = 0 if is_kept else 1
    assert f"would delete {deleted} messages" in prune("--dry-run")
    assert f"deleted {deleted} messages" in prune()
    assert SmsMessage.objects.exists() is is_kept


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_prune_dlrs__old_rows_behind_newer_ones(size: int) -> None:
    recent = SmsMessageFactory.create_batch(5, status=Status.DELIVERED)
    for days in (300, 100, 200):
        SmsMessageFactory.create(status=Status.DELIVERED, created_at=timezone.now() - timedelta(days=days))
    SmsMessageFactory.create_batch(3, status=Status.DELIVERED, created_at=OLD)
    assert "would delete 6 messages" in prune(f"--batch-size={size}", "--dry-run")
    assert "deleted 6 messages" in prune(f"--batch-size={size}")
    assert set(SmsMessage.objects.all()) == set(recent)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_prune_dlrs__protected_rows_of_one_time(size: int) -> None:
    """Each row is read once, also if the rows before it were kept. All have one time, as after an import."""
    protected = SmsMessageFactory.create_batch(4, status=Status.DELIVERED, created_at=OLD)
    SmsMessageFactory.create_batch(4, status=Status.DELIVERED, created_at=OLD)
    Order.objects.bulk_create(Order(message=message) for message in protected)
    with on_delete(Order, "message", models.PROTECT), CaptureQueriesContext(connection) as queries:
        assert "deleted 4 messages" in prune(f"--batch-size={size}")
    reads = [query["sql"] for query in queries if " ORDER BY " in query["sql"] and "smsmessage" in query["sql"]]
    assert 2 <= len(reads) <= 3 + 2 * (8 // size)
    assert set(SmsMessage.objects.all()) == set(protected)


@pytest.mark.parametrize("action", [models.PROTECT, models.RESTRICT])
def test_prune_dlrs__protected_by_row_of_project(action: Any) -> None:
    protected, _ = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    Order.objects.create(message=protected)
    with on_delete(Order, "message", action):
        assert "would delete 1 messages" in prune("--dry-run")
        output = prune()
    assert "deleted 1 messages" in output
    assert "kept 1 messages that rows of shop.Order protect from deletion" in output
    assert SmsMessage.objects.get() == protected


@pytest.mark.parametrize("action", [models.PROTECT, models.RESTRICT])
def test_prune_dlrs__protected_through_a_cascading_row(action: Any) -> None:
    protected, _ = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    orphan = DeliveryReportFactory.create(message=None, received_at=OLD)
    Note.objects.create(order=Order.objects.create(message=protected))
    with on_delete(Order, "message", models.CASCADE), on_delete(Note, "order", action):
        for arguments, verb in ((["--dry-run"], "would delete"), ([], "deleted")):
            output = prune(*arguments)
            assert f"{verb} 1 messages and 1 orphan reports" in output
            assert "kept 1 messages that rows of shop.Note protect from deletion" in output
    assert SmsMessage.objects.get() == protected
    assert not DeliveryReport.objects.filter(pk=orphan.pk).exists()


def test_prune_dlrs__protected_report() -> None:
    kept, _ = (DeliveryReportFactory.create(message__status=Status.DELIVERED, message__created_at=OLD) for _ in "ab")
    kept_orphan, _ = DeliveryReportFactory.create_batch(2, message=None, received_at=OLD)
    Receipt.objects.bulk_create(Receipt(report=report) for report in (kept, kept_orphan))
    for arguments, verb in ((["--dry-run"], "would delete"), ([], "deleted")):
        output = prune(*arguments)
        assert f"{verb} 1 messages and 1 orphan reports" in output
        assert "kept 1 messages that rows of ledger.Receipt protect from deletion" in output
        assert "kept 1 orphan reports that rows of ledger.Receipt protect from deletion" in output
    assert SmsMessage.objects.get() == kept.message
    assert set(DeliveryReport.objects.all()) == {kept, kept_orphan}


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_prune_dlrs__protected_by_a_receiver_of_django(size: int) -> None:
    """A project may raise ProtectedError itself. No relation of a model shows this."""
    protected = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    SmsMessageFactory.create_batch(5, status=Status.DELIVERED, created_at=OLD)
    orders = [Order.objects.create(message=message) for message in protected]

    def receiver(instance: SmsMessage, **kwargs: object) -> None:
        found: set[models.Model] = {order for order in orders if order.message_id == instance.pk}
        if found:
            raise models.ProtectedError("The order is open.", found)

    models.signals.pre_delete.connect(receiver, sender=SmsMessage)
    try:
        output = prune(f"--batch-size={size}")
    finally:
        models.signals.pre_delete.disconnect(receiver, sender=SmsMessage)
    assert "deleted 5 messages" in output
    assert "kept 2 messages that rows of shop.Order protect from deletion" in output
    assert set(SmsMessage.objects.all()) == set(protected)


@pytest.mark.django_db(transaction=True)
def test_prune_dlrs__protected_by_a_constraint_of_the_database() -> None:
    """With DO_NOTHING, Django deletes the message and the database refuses it at the commit."""
    protected, _ = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    Order.objects.create(message=protected)
    with on_delete(Order, "message", models.DO_NOTHING):
        output = prune()
    assert "deleted 1 messages" in output
    assert "kept 1 messages that rows of another table protect from deletion" in output
    assert SmsMessage.objects.get() == protected


def test_prune_dlrs__counts_no_cascading_rows_of_the_project() -> None:
    orphan = DeliveryReportFactory.create(message=None, received_at=OLD)
    Receipt.objects.create(report=orphan)
    with on_delete(Receipt, "report", models.CASCADE):
        assert "deleted 0 messages and 1 orphan reports" in prune()
    assert not Receipt.objects.exists()


def test_dry_run__deletes_nothing() -> None:
    SmsMessageFactory.create(status=Status.DELIVERED, created_at=OLD)
    DeliveryReportFactory.create(message=None, received_at=OLD)
    assert "would delete 1 messages and 1 orphan reports" in prune("--dry-run")
    assert SmsMessage.objects.count() == DeliveryReport.objects.count() == 1


def test_dry_run__without_kept_rows() -> None:
    unsent = {"dispatch_due_at": OLD, "dispatched_at": None}
    DeliveryReportFactory.create(message__status=Status.DELIVERED, message__created_at=OLD, **unsent)
    DeliveryReportFactory.create(message__status=Status.SENT, message__created_at=OLD)
    DeliveryReportFactory.create(message=None, received_at=OLD, **unsent)
    assert "would delete 0 messages and 0 orphan reports" in prune("--dry-run")


@pytest.mark.parametrize("days", ["0", "-1", "soon", "٣"])
def test_prune_dlrs__invalid_days(days: str) -> None:
    with pytest.raises(CommandError, match="not a whole number of at least 1"):
        call_command("prune_dlrs", f"--days={days}")


@pytest.mark.parametrize("days", ["36526", "99999999", "9" * 30])
def test_prune_dlrs__too_many_days(days: str) -> None:
    with pytest.raises(CommandError, match="more than a hundred years"):
        call_command("prune_dlrs", f"--days={days}")


def test_prune_dlrs__exit_status_without_database() -> None:
    with (
        mock.patch(
            "django_messente_dlr.management.commands.prune_dlrs.prune_orphans", side_effect=InterfaceError("gone")
        ),
        pytest.raises(CommandError, match="The database cannot be used: gone") as raised,
    ):
        prune()
    assert raised.value.returncode == 3
