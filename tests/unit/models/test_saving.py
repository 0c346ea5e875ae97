"""`SmsMessage.save` does not overwrite values that a report has written after the row was read."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stale() -> SmsMessage:
    """Return a message as it was read before a report changed its row."""
    message = SmsMessageFactory.create(sms_unique_id="an-id")
    row = SmsMessage.objects.get()
    assert simulate_callback(message, "UNDELIV", err=1).status_code == 200
    return row


@pytest.mark.parametrize("method", ["save", "asave", "force_update"])
def test_save__keeps_the_values_of_a_report(stale: SmsMessage, method: str) -> None:
    stale.metadata = {"order": 17}
    if method == "asave":
        async_to_sync(stale.asave)()
    else:
        stale.save(**{method: True} if method == "force_update" else {})
    row = SmsMessage.objects.get()
    assert row.metadata == {"order": 17}
    assert (row.status, row.rank, row.stat, row.err) == ("failed", 30, "UNDELIV", 1)
    assert row.finalised_at is not None


def test_save__skips_deferred_fields(stale: SmsMessage) -> None:
    row = SmsMessage.objects.only("status", "sender").get()
    SmsMessage.objects.update(metadata={"order": 17})
    row.sender = "Another"
    row.save()
    assert SmsMessage.objects.values_list("sender", "metadata").get() == ("Another", {"order": 17})


def test_save__writes_the_update_fields(stale: SmsMessage) -> None:
    stale.save(update_fields=["stat"])
    stale.save(update_fields=[])
    assert SmsMessage.objects.values_list("status", "stat").get() == ("failed", "")


def test_save__inserts_a_copy_with_all_values(stale: SmsMessage) -> None:
    values: dict[str, Any] = {"pk": None, "sms_unique_id": "another-id", "stat": "ACCEPTD"}
    for name, value in values.items():
        setattr(stale, name, value)
    stale.save()
    assert SmsMessage.objects.get(sms_unique_id="another-id").stat == "ACCEPTD"
    assert SmsMessage.objects.count() == 2


def test_save__does_not_recreate_a_deleted_row(stale: SmsMessage) -> None:
    SmsMessage.objects.all().delete()
    with pytest.raises(DatabaseError, match="did not affect any rows"):
        stale.save()
    assert not SmsMessage.objects.exists()


def test_status_and_rank__must_agree() -> None:
    with pytest.raises(IntegrityError, match="messente_dlr_status_rank"), transaction.atomic():
        SmsMessageFactory.create(status="delivered", rank=Status.SENT.rank)


def test_created_at__has_a_default() -> None:
    before = timezone.now()
    message = SmsMessage.objects.create(account="default", recipient="+37255500000")
    assert before <= message.created_at <= timezone.now()


def test_err__takes_any_number_of_64_bits() -> None:
    message = SmsMessageFactory.create(status="failed", err=2**40)
    message.refresh_from_db()
    assert (message.err, SmsMessage.objects.caused_by(2**40).get()) == (2**40, message)
