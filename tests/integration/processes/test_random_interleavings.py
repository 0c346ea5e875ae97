"""Two reports about a message without an id meet `mark_sent` at random moments: each is accepted and stored."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.sending import mark_sent
from django_messente_dlr.testing.callbacks import simulate_callback
from tests.locking import GENEROUS

SEED = 20_240_506
# Seconds. Each statement is delayed by a random time, so that all orders of the statements of the threads occur.
MAX_DELAY = 0.002


def interleavings() -> int:
    """Return the number of messages, each with one interleaving: tox sets 500."""
    return int(os.environ.get("DLR_INTERLEAVINGS", "50"))


def create_queued(count: int) -> list[SmsMessage]:
    """Create messages whose id is not known yet, as `prepare_sms` does."""
    now = timezone.now()
    SmsMessage.objects.bulk_create(SmsMessage(created_at=now) for _ in range(count))
    messages = list(SmsMessage.objects.order_by("pk"))
    PendingPoll.objects.bulk_create(
        PendingPoll(message=message, account="default", due_at=now) for message in messages
    )
    return messages


def id_of(message: SmsMessage) -> str:
    return f"id-{message.pk}"


def mark(message: SmsMessage) -> str:
    return mark_sent(message, id_of(message)).sms_unique_id or ""


def accept(message: SmsMessage) -> int:
    return simulate_callback(message, "ACCEPTD", sms_unique_id=id_of(message)).status_code


def deliver(message: SmsMessage) -> int:
    return simulate_callback(message, "DELIVRD", sms_unique_id=id_of(message)).status_code


def run_delayed(
    action: Callable[[SmsMessage], Any],
    messages: list[SmsMessage],
    *,
    barrier: threading.Barrier,
    settings: dict[str, Any],
    rng: random.Random,
) -> list[Any]:
    """Call a function with each message on a new connection, with random delays, and return its results.

    Args:
        action: the function.
        messages: the messages.
        barrier: the threads begin with each message together.
        settings: the settings of the test's connection.
        rng: draws the delays.
    """

    def delay(execute: Callable[..., Any], *arguments: Any) -> Any:
        time.sleep(rng.uniform(0, MAX_DELAY))
        return execute(*arguments)

    connections["default"] = connections.create_connection("default")
    connection.settings_dict = settings
    results = []
    try:
        with connection.execute_wrapper(delay):
            for message in messages:
                barrier.wait(GENEROUS)
                time.sleep(rng.uniform(0, 2 * MAX_DELAY))
                results.append(action(message))
    except BaseException:
        barrier.abort()  # so that the other threads do not wait for this one
        raise
    finally:
        connection.close()
    return results


@pytest.mark.usefixtures("database")
def test_reports__meet_mark_sent_at_random_moments() -> None:
    messages = create_queued(interleavings())
    actions = [mark, accept, deliver]
    barrier = threading.Barrier(len(actions))
    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [
            pool.submit(
                run_delayed,
                action,
                messages,
                barrier=barrier,
                settings=connection.settings_dict,
                rng=random.Random(f"{SEED} {action.__name__}"),
            )
            for action in actions
        ]
        marked, *answers = [future.result() for future in futures]
    assert [Counter(statuses) for statuses in answers] == [Counter({200: len(messages)})] * 2
    assert marked == [id_of(message) for message in messages]
    assert DeliveryReport.objects.filter(message__isnull=False, times_received=1).count() == 2 * len(messages)
    assert DeliveryReport.objects.count() == 2 * len(messages)
    for message in SmsMessage.objects.all():
        assert (message.status, message.sms_unique_id) == ("delivered", id_of(message))
        assert message.sent_at is not None
    assert not PendingPoll.objects.exists()
