"""The benchmarks write their rows in SQL, past the models: it has to fit the tables as they are."""

from __future__ import annotations

import pytest
from django.db import connection

from benchmarks.admin.rows import MESSAGES, PENDING, REPORTS
from django_messente_dlr.models import DeliveryReport, PendingReport, SmsMessage

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "postgresql", reason="they are PostgreSQL's")
def test_the_rows_of_the_admins_benchmark_fit() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, {"size": 500, "days": 30})
        cursor.execute(PENDING)
        cursor.execute(REPORTS)
    assert SmsMessage.objects.count() == 500
    assert PendingReport.objects.count() == SmsMessage.objects.filter(status="sent").count() == 20
    assert DeliveryReport.objects.count() == SmsMessage.objects.exclude(finalised_at=None).count() > 300
