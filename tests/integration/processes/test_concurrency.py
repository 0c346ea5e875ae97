"""Eight processes send the same callbacks to several workers: each report is stored and dispatched once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

from django.db import connection
from django.utils import timezone

from django_messente_dlr import callbacks, dispatch
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from tests.integration.processes.web import Web

PROCESSES = 8
# Each message gets two final reports, so that different reports compete for its row too.
FINAL_REPORTS = [("UNDELIV", "4"), ("DELIVRD", "")]
DELIVERER = Path(__file__).with_name("deliver.py")


def reports_to_deliver() -> int:
    """Return the number of reports: fewer for SQLite, which has one writer at a time.

    Set DLR_REPORTS=1000 after a change of how reports are stored.
    """
    return int(os.environ.get("DLR_REPORTS", "100" if connection.vendor == "sqlite" else "400"))


def test_callbacks__duplicates_from_eight_processes(database: str, tmp_path: Path) -> None:
    count = reports_to_deliver()
    now = timezone.now()
    attributes = {
        "account": "default",
        "status": Status.SENT,
        "rank": Status.SENT.rank,
        "created_at": now,
        "sent_at": now,
    }
    SmsMessage.objects.bulk_create(
        SmsMessage(sms_unique_id=f"id-{number}", **attributes) for number in range(count // len(FINAL_REPORTS))
    )
    PendingPoll.objects.bulk_create(
        PendingPoll(message=message, account="default", due_at=now) for message in SmsMessage.objects.all()
    )
    with Web(tmp_path, database) as web:
        path = callbacks.callback_url().removeprefix("https://shop.example.com")
        urls = [
            f"{web.url}{path}?sms_unique_id=id-{number}&stat={stat}&err={err}"
            for number, (stat, err) in product(range(count // len(FINAL_REPORTS)), FINAL_REPORTS)
        ]
        file = tmp_path / "urls"
        file.write_text("\n".join(urls))
        command = [sys.executable, str(DELIVERER), str(file)]
        deliverers = [
            subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(PROCESSES)
        ]
        statuses = [json.loads(deliverer.communicate(timeout=600)[0]) for deliverer in deliverers]
    assert statuses == [{"200": count}] * PROCESSES, web.log.read_text()[-3000:]
    assert DeliveryReport.objects.count() == count
    assert set(DeliveryReport.objects.values_list("times_received", flat=True)) == {PROCESSES}
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"delivered"}
    assert not PendingPoll.objects.exists()
    assert not DeliveryReport.objects.undispatched().exists()
    assert Account.objects.count() == 1
    # dlr_failed is withheld if the other report has delivered the message before the signal is sent.
    expected = Counter(
        (name, str(report.pk))
        for report in DeliveryReport.objects.all()
        for name in report.signals
        if name != "dlr_failed" or dispatch.DELIVERED_MEANWHILE not in report.dispatch_error
    )
    assert web.count_signals() == expected
    totals = Counter(name for name, _ in expected)
    assert totals["dlr_received"] == count
    assert totals["dlr_delivered"] == count // len(FINAL_REPORTS)
    assert totals["credits_exhausted"] <= 1
