"""``prune_dlrs`` deletes only old rows that need no further work."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, models
from django.utils import timezone
from shop.models import Order

from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(days=91)


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
        (Status.DELIVERED, False),
        (Status.SEEN, False),
    ],
)
def test_prune_dlrs__statuses(status: Status, *, is_kept: bool) -> None:
    report = DeliveryReportFactory.create(message__status=status, message__created_at=OLD)
    prune()
    assert SmsMessage.objects.exists() is is_kept
    assert DeliveryReport.objects.filter(pk=report.pk).exists() is is_kept


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


@pytest.mark.parametrize("on_delete", [models.PROTECT, models.RESTRICT])
def test_prune_dlrs__protected_by_row_of_project(on_delete: Any) -> None:
    protected, _ = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    Order.objects.create(message=protected)
    with mock.patch.object(Order._meta.get_field("message").remote_field, "on_delete", on_delete):
        assert "would delete 1 messages" in prune("--dry-run")
        assert "deleted 1 messages" in prune()
    assert SmsMessage.objects.get() == protected


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
