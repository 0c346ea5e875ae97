"""The indexes: each query uses its index on every database, and a delivered message is in no partial index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import checks
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.models.indexes import PartialIndexIfSupported
from django_messente_dlr.receiving.lookup import orphans_of, orphans_with_message
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import DeliveryReportFactory, SmsMessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

PARTIAL_INDEXES = [
    (model, index)
    for model in (SmsMessage, DeliveryReport)
    for index in model._meta.indexes
    if isinstance(index, PartialIndexIfSupported) and index.name != "messente_dlr_report_message"
]


def sql_of(index: PartialIndexIfSupported, model: type[Any]) -> str:
    with connection.schema_editor(collect_sql=True) as editor:
        return str(index.create_sql(model, editor))


@pytest.mark.parametrize(("model", "index"), PARTIAL_INDEXES, ids=[index.name for _, index in PARTIAL_INDEXES])
class TestPartialIndexes:
    def test_partial_index__excludes_a_delivered_message(
        self, model: type[Any], index: PartialIndexIfSupported
    ) -> None:
        message = SmsMessageFactory.create()
        simulate_callback(message, "DELIVRD", "000")
        assert message.reports.get().outcome == "advanced"
        assert model.objects.count() == 1
        assert not model.objects.filter(index.partial_condition).exists()

    def test_partial_index__has_a_condition_if_supported(
        self, model: type[Any], index: PartialIndexIfSupported
    ) -> None:
        is_supported = connection.features.supports_partial_indexes
        assert (" WHERE " in sql_of(index, model)) is is_supported
        # The migrations have created the index in the database.
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
        assert index.name in constraints


def test_checks__report_no_unsupported_partial_index() -> None:
    messages = checks.run_checks(tags=[checks.Tags.models], databases=["default"])
    assert [str(message) for message in messages if "django_messente_dlr" in str(message.obj)] == []


QUERIES: dict[str, Callable[[], QuerySet[Any]]] = {
    "messente_dlr_due": lambda: PendingPoll.objects.due(timezone.now()),
    "messente_dlr_queue_due": lambda: (
        QueuedMessage.objects.due(timezone.now()).filter(account="default", priority=20).order_by("due_at")[:100]
    ),
    "messente_dlr_queue_attempted": lambda: QueuedMessage.objects.unknown(timezone.now()),
    "messente_dlr_by_err": lambda: SmsMessage.objects.caused_by(7).order_by("-pk"),
    "messente_dlr_omnimessage": lambda: SmsMessage.objects.of_omnimessage("an-omni-id"),
    "messente_dlr_by_status": lambda: SmsMessage.objects.unresolved().order_by("-pk"),
    "messente_dlr_lacks_poll": lambda: SmsMessage.objects.filter(may_lack_poll=True).order_by("pk"),
    "messente_dlr_by_outcome": orphans_with_message,
    "messente_dlr_dispatch_due": lambda: DeliveryReport.objects.dispatch_due(timezone.now()),
    "messente_dlr_dispatch_fail": DeliveryReport.objects.dispatch_failed,
    "messente_dlr_report_message": lambda: DeliveryReport.objects.filter(message=1),
    "messente_dlr_report_token": lambda: orphans_of(SmsMessage(pk=7, account="default")),
    "messente_dlr_report_omni": lambda: orphans_of(SmsMessage(pk=7, omnimessage_id="an-omni-id", account="default")),
    "messente_dlr_report_id": lambda: orphans_of(SmsMessage(pk=7, sms_unique_id="an-id", account="default")),
}


def test_indexes__are_used_by_their_queries() -> None:
    """The tables have so many rows that no database reads all of them, and each query matches few.

    This is one test, because filling the tables takes much longer than the queries.
    """
    # The planner of SQLite uses the statistics of ANALYZE alone, for which 200 rows are enough.
    rows = 200 if connection.vendor == "sqlite" else 2000
    now = timezone.now()
    delivered = {"account": "default", "created_at": now, "status": "delivered", "rank": 50}
    message = SmsMessageFactory.create(status="delivered", rank=50, next_poll_at=None)
    SmsMessage.objects.bulk_create(
        SmsMessage(sms_unique_id=str(number), **{**delivered, "may_lack_poll": number == 7}) for number in range(rows)
    )
    PendingPoll.objects.bulk_create(
        PendingPoll(message=other, account="default", due_at=now + timedelta(hours=1))
        for other in SmsMessage.objects.exclude(pk=message.pk)
    )
    QueuedMessage.objects.bulk_create(
        QueuedMessage(message=other, account="default", due_at=now + timedelta(hours=number - 1))
        for number, other in enumerate(SmsMessage.objects.exclude(pk=message.pk))
    )
    QueuedMessage.objects.filter(message__may_lack_poll=True).update(
        due_at=None, attempted_at=now, leased_until=now - timedelta(hours=1)
    )
    DeliveryReport.objects.bulk_create(
        DeliveryReport(
            account="default",
            source="callback",
            outcome="advanced" if number % 8 else "orphan",
            message=message if number % 8 else None,
            sms_unique_id=str(number),
            omnimessage_id=str(number),
            token_message_id=None if number % 8 else number + 100,
            received_at=now,
            fingerprint=str(number),
        )
        for number in range(rows)
    )
    SmsMessageFactory.create(omnimessage_id="an-omni-id", status="unresolved", err=7, next_poll_at=now)
    values = {"dispatch_due_at": now - timedelta(hours=1), "dispatch_failed_at": now, "outcome": "orphan"}
    DeliveryReportFactory.create(message=None, token_message_id=7, **values)
    if connection.vendor == "mysql":
        tables = ", ".join(model._meta.db_table for model in (SmsMessage, DeliveryReport, QueuedMessage))
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE TABLE {tables}")
    else:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    plans = {index: query().explain() for index, query in QUERIES.items()}
    assert {index: plan for index, plan in plans.items() if index not in plan} == {}
