"""Messages that fail and are sent again by ``RESEND``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from django_messente_dlr.models import QueuedMessage, SmsMessage
from django_messente_dlr.sending.queue.worker import QueueWorker
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.signals import SignalLog

NUMBER = "+37255500000"
TEXT = "Your parcel is here"
POLICY = {"attempts": 2, "backoff": [60, 300]}


def configure(settings: Any, **values: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **values}


def fail(message: SmsMessage, err: int | str = 999) -> None:
    assert simulate_callback(message, "FAILED", err).status_code == 200


def newest() -> SmsMessage:
    return SmsMessage.objects.select_related("queued").latest("pk")


def send_due() -> None:
    """Send the queued messages as if their time had come."""
    QueuedMessage.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    QueueWorker().run()


def failures(log: SignalLog) -> list[tuple[int, bool, bool]]:
    """Return the key of the message, ``temporary`` and ``will_resend`` of each ``dlr_failed``."""
    return [
        (arguments["message"].pk, arguments["temporary"], arguments["will_resend"])
        for name, arguments in log
        if name == "dlr_failed"
    ]
