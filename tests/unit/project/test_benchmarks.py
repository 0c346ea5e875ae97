"""The benchmarks insert rows that fit the models, and compute correct confidence intervals."""

from __future__ import annotations

import pytest
from django.db import connection

from benchmarks.admin.rows import MESSAGES, PENDING, REPORTS
from benchmarks.receive import databases
from benchmarks.receive.medians import confidence_interval
from benchmarks.sending import BARE, OURS, table
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="the statements are for PostgreSQL")
def test_admin_rows__fit_the_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, {"size": 500, "days": 30})
        cursor.execute(PENDING)
        cursor.execute(REPORTS)
    assert SmsMessage.objects.count() == 500
    assert PendingPoll.objects.count() == SmsMessage.objects.filter(status="sent").count() == 20
    assert DeliveryReport.objects.count() == SmsMessage.objects.exclude(finalised_at=None).count() > 300


@pytest.mark.django_db
def test_receive_rows__fit_the_tables() -> None:
    name = {"postgresql": "postgres", "mysql": "mariadb", "sqlite": "sqlite"}[connection.vendor]
    databases.add_functions()
    tables = {
        "django_messente_dlr_smsmessage": (1, 50),
        "django_messente_dlr_pendingpoll": (21, 50),
        "django_messente_dlr_deliveryreport": (1, 20),
    }
    with connection.cursor() as cursor:
        for table, (first, last) in tables.items():
            cursor.execute(databases.insert(name, table, first, last, reported=20))
    delivered = SmsMessage.objects.filter(status="delivered", rank=50)
    assert set(delivered.values_list("reports__sms_unique_id", flat=True)) == set(
        delivered.values_list("sms_unique_id", flat=True)
    )
    assert delivered.count() == databases.count_reports() == 20
    assert PendingPoll.objects.filter(message__status="sent", message__rank=10).count() == 30


@pytest.mark.parametrize(
    ("count", "interval"), [(5, (1, 5)), (6, (1, 6)), (9, (2, 8)), (15, (4, 12)), (25, (8, 18)), (31, (10, 22))]
)
def test_confidence_interval__sign_test(count: int, interval: tuple[int, int]) -> None:
    """The ranks are those in tables of the binomial distribution."""
    assert confidence_interval([float(value) for value in range(count, 0, -1)]) == interval


def test_sending_table__ratio_to_the_same_api_in_the_same_round() -> None:
    lines = table(
        {
            ("omnichannel", BARE): [2.0, 4.0, 1.0],
            ("omnichannel", OURS): [6.0, 8.0, 4.0],  # 3, 2 and 4 times as long
            ("sms", BARE): [1.0, 1.0, 1.0],
            ("sms", OURS): [2.0, 2.0, 2.0],
        }
    ).splitlines()
    assert [line.split(maxsplit=3) for line in lines[3:-1]] == [
        ["omnichannel", "requests.post", "2.00", "1"],
        ["omnichannel", "send_sms", "6.00", "3.00 (2.00 to 4.00)"],
        ["sms", "requests.post", "1.00", "1"],
        ["sms", "send_sms", "2.00", "2.00 (2.00 to 2.00)"],
    ]
