"""A day at Messente's in little: faults of every kind while workers die, and in the end every count agrees.

``DLR_MESSAGES=20000 DATABASE_URL=… pytest tests/delivery/test_soak.py`` makes it a long day.
"""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from django_messente_dlr.callbacks import callback_url
from django_messente_dlr.messente.client import MessenteClient
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sandbox.fates import fate_of
from django_messente_dlr.sending import mark_sent, prepare_sms, track_sms
from tests.delivery.web import Web

# Recipients' last digits, as the sandbox knows them: of 100 messages 20 are told six times, 20 in the wrong order,
# 5 not at all, so that asking tells; the others end in an ordinary way.
DUPLICATED, REORDERED, LOST = ["106"] * 20, ["104"] * 10 + ["105"] * 10, ["141"] * 3 + ["142"] * 2
ORDINARY = ["000"] * 35 + ["001", "003", "007", "010", "101"] * 4
FATES = [*DUPLICATED, *REORDERED, *LOST, *ORDINARY]
UNKNOWN = 50  # one of so many is sent by somebody else, and tracked later
SECOND = timedelta(seconds=1)


def test_every_count_agrees_with_what_was_sent(database: str, settings: Any, tmp_path: Path) -> None:
    count = int(os.environ.get("DLR_MESSAGES", "100"))
    chance = random.Random(20000)
    recipients = [f"+372{5000000 + number}{chance.choice(FATES)}" for number in range(count)]
    ended = threading.Event()
    with (
        Sandbox({"shop": "a-password"}, delay=0.2, retry_delay=5) as messente,
        Web(tmp_path, database, messente=messente.url) as web,
        ThreadPoolExecutor(1) as pool,
    ):
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": web.url}
        client = MessenteClient("shop", "a-password", hosts=[messente.url])

        def restart_workers() -> int:
            deaths = 0
            while not ended.wait(5):
                web.kill_a_worker()
                deaths += 1
            return deaths

        restarts = pool.submit(restart_workers)
        ids = {}
        strangers = []
        try:
            for number, recipient in enumerate(recipients):
                if number % UNKNOWN == UNKNOWN - 1:
                    ids[recipient] = client.send(recipient, "A parcel", dlr_url=callback_url())
                    strangers.append(recipient)
                    continue
                message = prepare_sms(recipient)
                ids[recipient] = client.send(recipient, "A parcel", dlr_url=message.callback_url)
                mark_sent(message, ids[recipient])
            assert messente.wait_until_idle(120 + count)
        finally:
            ended.set()
        restarts.result()
        for recipient in strangers:
            track_sms(ids[recipient], recipient=recipient)
        past = timezone.now() - SECOND
        # Time passes: leases run out, and what has not been told is asked about.
        DeliveryReport.objects.undispatched().update(dispatch_due_at=past)
        SmsMessage.objects.pending().update(next_poll_at=past)
        web.manage("poll_dlrs")
    attempts = messente.callbacks
    told = {(attempt.message.message_id, attempt.step) for attempt in attempts if attempt.ok}
    assert SmsMessage.objects.count() == len(messente.messages) == count
    for message in SmsMessage.objects.all():
        assert message.status == fate_of(message.recipient).expected, (message.recipient, message.status)
    assert not DeliveryReport.objects.orphans().exists()
    assert not DeliveryReport.objects.undispatched().exists()
    stored = list(DeliveryReport.objects.filter(source="callback"))
    assert len(stored) == len(told)
    # A worker that dies after its commit has stored what Messente brings again, and so counts it once more.
    received = sum(report.receipts for report in stored)
    assert sum(attempt.ok for attempt in attempts) <= received <= len(attempts)
    heard = web.heard()
    by_strangers = DeliveryReport.objects.filter(sms_unique_id__in=[ids[recipient] for recipient in strangers])
    here = set(by_strangers.values_list("pk", flat=True))  # those were matched, and so told of, in this process
    for report in DeliveryReport.objects.exclude(pk__in=here):
        assert all(heard[name, str(report.pk)] >= 1 for name in report.signals), report
