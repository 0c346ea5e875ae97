"""Compare ``queue_many`` with a bare ``bulk_create`` of the same rows: time, and the peak of the memory.

Each way has one turn in each round, in a random order; the ratio is of the same round. The peak is that of Python's
allocations above the start, in a turn of its own, because measuring it takes time.
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import median
from typing import Any

from benchmarks.queue.database import database, empty
from benchmarks.receive.medians import confidence_interval
from benchmarks.receive.table import machine

TEXT = "Your parcel is here"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue many", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(argv)
    with database():
        ways: dict[str, Callable[[int], None]] = {"bulk_create": bare, "queue_many": ours}
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(-1, options.rounds):  # the first round is not counted
            for way in random.sample(list(ways), len(ways)):
                empty()
                began = time.perf_counter()
                ways[way](options.messages)
                if turn >= 0:
                    times[way].append(time.perf_counter() - began)
                check(options.messages)
        ratios = [own / peer for own, peer in zip(times["queue_many"], times["bulk_create"], strict=True)]
        low, high = confidence_interval(ratios)
        print(f"{machine()}, PostgreSQL; {options.messages} messages, medians of {options.rounds} rounds\n")
        for way, seconds in times.items():
            print(
                f"{way:12} {median(seconds):8.2f} s   peak of the memory {peak(ways[way], options.messages):6.1f} MiB"
            )
        tenth = peak(ours, options.messages // 10)
        print(f"queue_many of a tenth of the messages: peak of the memory {tenth:.1f} MiB")
        print(f"ratio of the times: {median(ratios):.2f} ({low:.2f} to {high:.2f})")


def ours(messages: int) -> None:
    from django_messente_dlr.sending import queue_many

    queue_many({"to": number, "text": TEXT, "sender": "Shop"} for number in numbers(messages))


def bare(messages: int) -> None:
    """Insert rows with the values that ``queue_many`` writes, without a check of any of them."""
    from django.db import transaction

    from django_messente_dlr.models import QueuedMessage, SmsMessage

    message_values, queued_values = template()
    iterator = numbers(messages)
    while batch := list(islice(iterator, 1000)):
        with transaction.atomic():
            rows = SmsMessage.objects.bulk_create(
                [SmsMessage(recipient=number, **message_values) for number in batch]
            )
            QueuedMessage.objects.bulk_create([QueuedMessage(message=row, **queued_values) for row in rows])


def template() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of both rows of a message, without its key and its number."""
    from django.db import transaction

    from django_messente_dlr.models import QueuedMessage, SmsMessage
    from django_messente_dlr.sending import queue_sms

    with transaction.atomic():
        queued = QueuedMessage.objects.get(pk=queue_sms("+37255500000", TEXT, sender="Shop").pk)
        message = queued.message
        transaction.set_rollback(True)
    left_out = {"id", "recipient", "message"}
    return tuple(  # type: ignore[return-value]
        {
            field.attname: getattr(row, field.attname)
            for field in model._meta.concrete_fields
            if field.name not in left_out and not field.generated
        }
        for model, row in ((SmsMessage, message), (QueuedMessage, queued))
    )


def numbers(messages: int) -> Iterator[str]:
    return (f"+3725{number:07}" for number in range(messages))


def check(messages: int) -> None:
    from django_messente_dlr.models import QueuedMessage, SmsMessage

    if SmsMessage.objects.count() != messages or QueuedMessage.objects.count() != messages:
        raise SystemExit("Not every message is queued.")


def peak(way: Callable[[int], None], messages: int) -> float:
    """Return the peak of Python's allocations in MiB while a way inserts messages."""
    empty()
    tracemalloc.start()
    way(messages)
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest / 2**20
