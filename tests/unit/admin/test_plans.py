"""PostgreSQL's plans for filters, searches and counts on many rows, with up-to-date statistics."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_messente_dlr.admin import warnings
from django_messente_dlr.models import DeliveryReport, PendingPoll, QueuedMessage, SmsMessage
from django_messente_dlr.models.statuses import Status
from tests.unit.admin.pages import list_url

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="reads PostgreSQL's EXPLAIN output"),
]

MANY = 8_000
FEW = 20


@pytest.fixture
def _rows() -> None:
    """Create many rows. The few that match the filters are the oldest, which a backward scan reads last."""
    now = timezone.now()
    few = {
        "status": Status.UNRESOLVED,
        "rank": Status.UNRESOLVED.rank,
        "account": "closed",
        "channel": "viber",
        "err": 7,
        "created_at": now,
    }
    many = {"status": Status.DELIVERED, "rank": Status.DELIVERED.rank, "account": "default"}
    old = now - timedelta(days=60)
    SmsMessage.objects.bulk_create(
        [SmsMessage(recipient=f"+3725{number:07}", **few) for number in range(FEW)]
        + [
            SmsMessage(recipient=f"+3725{number:07}", created_at=old, sms_unique_id=str(number), **many)
            for number in range(FEW, MANY)
        ],
        batch_size=5000,
    )
    waiting = SmsMessage.objects.filter(status=Status.UNRESOLVED)
    PendingPoll.objects.bulk_create(
        PendingPoll(message=message, account="marketing", due_at=now - timedelta(hours=1)) for message in waiting
    )
    QueuedMessage.objects.bulk_create(
        QueuedMessage(message=message, account="default", due_at=now) for message in waiting[: FEW // 2]
    )
    QueuedMessage.objects.bulk_create(
        QueuedMessage(message=message, account="default", attempted_at=now, leased_until=now)
        for message in waiting[FEW // 2 :]
    )
    common = {"account": "default", "source": "callback", "received_at": now}
    DeliveryReport.objects.bulk_create(
        [
            DeliveryReport(
                fingerprint=str(number),
                outcome="orphan" if number < FEW else "advanced",
                dispatch_due_at=now if number < FEW else None,
                dispatch_failed_at=now if number < FEW else None,
                **common,
            )
            for number in range(MANY)
        ],
        batch_size=5000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def read(plan: str) -> int:
    """Return the largest number of rows that a step of a plan reads, including rows that its filter removes."""
    counts = re.findall(r"(?:rows=|Rows Removed by Filter: )(\d+)", re.sub(r"\(cost=[^)]*\)", "", plan))
    return max(int(number) for number in counts)


@pytest.mark.usefixtures("_rows")
def test_filters__read_few_rows(admin_client: Client) -> None:
    queries = {
        SmsMessage: [
            *("status=unresolved", "status=overdue", "cause=7", "account=closed", "channel=viber", "age=hour"),
            *(
                "q=%2B37250000007",
                "q=00372 5000-0007",
                "q=17",
                "cause=7&age=day",
                "status=queued",
                "status=pending",
                "account=missing",
                "queue=waiting",
                "queue=claimed",
                "queue=attempted",
                "queue=unknown",
            ),
        ],
        DeliveryReport: ["outcome=orphan", "outcome=unreadable", "signals=waiting", "signals=failed"],
    }
    for model, model_queries in queries.items():
        for query in model_queries:
            response = admin_client.get(f"{list_url(model)}?{query}")
            assert response.status_code == 200, query
            rows = response.context["cl"].queryset
            for queryset in (rows[:101], rows.order_by()[:1001]):
                plan = queryset.explain(analyze=True)
                assert not re.search("Seq Scan on django_messente_dlr_(smsmessage|deliveryreport)", plan), (
                    query,
                    plan,
                )
                assert read(plan) <= 2 * FEW, (query, plan)


@pytest.mark.usefixtures("_rows")
def test_message_list__reads_one_page(admin_client: Client) -> None:
    rows = admin_client.get(list_url(SmsMessage)).context["cl"].queryset
    assert read(rows[:101].explain(analyze=True)) <= 101
    assert read(rows.order_by()[:1001].explain(analyze=True)) <= 1001
    deep = rows.filter(pk__lt=rows[MANY // 2].pk)
    assert read(deep[:101].explain(analyze=True)) <= 101


@pytest.mark.usefixtures("_rows")
def test_count_backlog__counts() -> None:
    backlog = warnings.count_backlog(timezone.now())
    assert (backlog.pending, backlog.overdue, backlog.orphans) == (FEW,) * 3
    assert (backlog.undispatched, backlog.receivers_failed, backlog.unreadable) == (FEW, FEW, 0)
