"""``prune_dlrs`` deletes what is old and settled, and nothing else."""

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
    ("status", "stays"),
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
def test_what_is_still_waited_for_stays(status: Status, *, stays: bool) -> None:
    report = DeliveryReportFactory.create(message__status=status, message__created_at=OLD)
    prune()
    assert SmsMessage.objects.exists() is stays
    assert DeliveryReport.objects.filter(pk=report.pk).exists() is stays


def test_what_is_young_stays() -> None:
    report = DeliveryReportFactory.create(message__status=Status.DELIVERED)
    assert "deleted 0 messages and 0 orphan reports" in prune()
    assert DeliveryReport.objects.filter(pk=report.pk).exists()


def test_a_message_whose_signals_are_still_to_be_sent_stays() -> None:
    report = DeliveryReportFactory.create(
        message__status=Status.DELIVERED, message__created_at=OLD, dispatch_due_at=OLD, dispatched_at=None
    )
    prune()
    assert SmsMessage.objects.get() == report.message


def test_an_orphan_whose_signals_are_still_to_be_sent_stays() -> None:
    orphan = DeliveryReportFactory.create(message=None, received_at=OLD, dispatch_due_at=OLD, dispatched_at=None)
    assert "deleted 0 messages and 0 orphan reports" in prune()
    assert DeliveryReport.objects.get() == orphan


@pytest.mark.parametrize(("received_at", "stays"), [(OLD, False), (timezone.now(), True)])
def test_orphans_go_by_when_they_came(received_at: object, *, stays: bool) -> None:
    orphan = DeliveryReportFactory.create(message=None, sms_unique_id="nobody's", received_at=received_at)
    prune()
    assert DeliveryReport.objects.filter(pk=orphan.pk).exists() is stays


def test_batches_reach_everything_beyond_what_stays() -> None:
    SmsMessageFactory.create_batch(3, status=Status.SENT, created_at=OLD)
    SmsMessageFactory.create_batch(5, status=Status.DELIVERED, created_at=OLD)
    young = SmsMessageFactory.create(status=Status.DELIVERED)
    DeliveryReportFactory.create_batch(5, message=None, received_at=OLD)
    assert "deleted 5 messages and 5 orphan reports" in prune("--batch-size=2")
    assert SmsMessage.objects.filter(status=Status.DELIVERED).get() == young
    assert SmsMessage.objects.filter(status=Status.SENT).count() == 3


@pytest.mark.parametrize("on_delete", [models.PROTECT, models.RESTRICT])
def test_what_a_row_of_the_projects_own_protects_stays_and_the_others_go(on_delete: Any) -> None:
    kept, _ = SmsMessageFactory.create_batch(2, status=Status.DELIVERED, created_at=OLD)
    Order.objects.create(message=kept)
    with mock.patch.object(Order._meta.get_field("message").remote_field, "on_delete", on_delete):
        assert "would delete 1 messages" in prune("--dry-run")
        assert "deleted 1 messages" in prune()
    assert SmsMessage.objects.get() == kept


def test_a_dry_run_counts_and_deletes_nothing() -> None:
    SmsMessageFactory.create(status=Status.DELIVERED, created_at=OLD)
    DeliveryReportFactory.create(message=None, received_at=OLD)
    assert "would delete 1 messages and 1 orphan reports" in prune("--dry-run")
    assert SmsMessage.objects.count() == DeliveryReport.objects.count() == 1


def test_a_dry_run_counts_nothing_that_would_stay() -> None:
    unsent = {"dispatch_due_at": OLD, "dispatched_at": None}
    DeliveryReportFactory.create(message__status=Status.DELIVERED, message__created_at=OLD, **unsent)
    DeliveryReportFactory.create(message__status=Status.SENT, message__created_at=OLD)
    DeliveryReportFactory.create(message=None, received_at=OLD, **unsent)
    assert "would delete 0 messages and 0 orphan reports" in prune("--dry-run")


@pytest.mark.parametrize("days", ["0", "-1", "soon", "٣"])
def test_days_must_be_a_number_of_at_least_one(days: str) -> None:
    with pytest.raises(CommandError, match="not a whole number of at least 1"):
        call_command("prune_dlrs", f"--days={days}")


@pytest.mark.parametrize("days", ["36526", "99999999", "9" * 30])
def test_days_must_be_fewer_than_a_calendar_has(days: str) -> None:
    with pytest.raises(CommandError, match="more than a hundred years"):
        call_command("prune_dlrs", f"--days={days}")


def test_a_database_that_is_away_ends_it_with_a_status_of_its_own() -> None:
    with (
        mock.patch(
            "django_messente_dlr.management.commands.prune_dlrs.prune_orphans", side_effect=InterfaceError("gone")
        ),
        pytest.raises(CommandError, match="The database cannot be used: gone") as raised,
    ):
        prune()
    assert raised.value.returncode == 3
