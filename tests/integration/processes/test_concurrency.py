"""Eight processes deliver the same reports to several workers: each is written once, and told of once."""

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

from django_messente_dlr import callbacks
from django_messente_dlr.models import Account, DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from tests.integration.processes.web import Web

PROCESSES = 8
# A message hears of two ends, so that processes meet at its row with different reports too.
ENDS = [("UNDELIV", "4"), ("DELIVRD", "")]
DELIVERER = Path(__file__).with_name("deliver.py")


def reports_to_deliver() -> int:
    """1,000 where a server writes them; fewer for SQLite, which has one writer at a time and waits for its disk."""
    return int(os.environ.get("DLR_REPORTS", "100" if connection.vendor == "sqlite" else "1000"))


def test_the_same_reports_from_eight_processes_are_written_and_told_of_once(database: str, tmp_path: Path) -> None:
    count = reports_to_deliver()
    now = timezone.now()
    sent = {"account": "default", "status": Status.SENT, "rank": Status.SENT.rank, "created_at": now, "sent_at": now}
    SmsMessage.objects.bulk_create(
        SmsMessage(sms_unique_id=f"id-{number}", **sent) for number in range(count // len(ENDS))
    )
    PendingPoll.objects.bulk_create(
        PendingPoll(message=message, account="default", due_at=now) for message in SmsMessage.objects.all()
    )
    with Web(tmp_path, database) as web:
        path = callbacks.callback_url().removeprefix("https://shop.example.com")
        urls = [
            f"{web.url}{path}?sms_unique_id=id-{number}&stat={stat}&err={err}"
            for number, (stat, err) in product(range(count // len(ENDS)), ENDS)
        ]
        file = tmp_path / "urls"
        file.write_text("\n".join(urls))
        command = [sys.executable, str(DELIVERER), str(file)]
        deliverers = [
            subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(PROCESSES)
        ]
        answers = [json.loads(deliverer.communicate(timeout=600)[0]) for deliverer in deliverers]
    assert answers == [{"200": count}] * PROCESSES, web.log.read_text()[-3000:]
    assert DeliveryReport.objects.count() == count
    assert set(DeliveryReport.objects.values_list("times_received", flat=True)) == {PROCESSES}
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"delivered"}
    assert not PendingPoll.objects.exists()
    assert not DeliveryReport.objects.undispatched().exists()
    assert Account.objects.count() == 1
    promised = Counter(
        (name, str(pk)) for pk, names in DeliveryReport.objects.values_list("pk", "signals") for name in names
    )
    assert web.heard() == promised
    told = Counter(name for name, _ in promised)
    assert told["dlr_received"] == count
    assert told["dlr_delivered"] == count // len(ENDS)
    assert told["credits_exhausted"] <= 1
