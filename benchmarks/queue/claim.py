"""Measure the time of a claim of 1,000 messages, by the length of the queue and the number of old messages."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from statistics import median

from benchmarks.queue.database import database, empty
from benchmarks.receive.databases import COLUMNS
from benchmarks.receive.table import machine

TABLE, QUEUE = "django_messente_dlr_smsmessage", "django_messente_dlr_queuedmessage"
CLAIM = 1000
WRITTEN_PER_SECOND = 150_000


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue claim", description=__doc__)
    parser.add_argument("--queues", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--old", type=int, nargs="+", default=[0, 200_000], help="delivered messages besides")
    parser.add_argument("--claims", type=int, default=9, help="the number of claims; their median is printed")
    options = parser.parse_args(argv)
    with database():
        print(f"{machine()}, PostgreSQL; medians of {options.claims} claims of {CLAIM} messages\n")
        for old in options.old:
            for queued in options.queues:
                fill(old=old, queued=queued)
                print(f"queue of {queued:>8,}, {old:>10,} old messages: {measure(options.claims):7.1f} ms")


def fill(*, old: int, queued: int) -> None:
    """Replace all rows by old messages, and by queued ones that are due in a random order."""
    from django.db import connection

    empty()
    columns = {
        **COLUMNS[TABLE],
        "status": f"CASE WHEN n > {old} THEN 'queued' ELSE 'delivered' END",
        "rank": f"CASE WHEN n > {old} THEN 0 ELSE 50 END",
        "sms_unique_id": f"CASE WHEN n > {old} THEN NULL ELSE md5(n::text) END",
    }
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    values = ", ".join(columns.values()).format(n="n::text")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({names}) SELECT {values} FROM generate_series(1, {old + queued}) AS s (n)"
        )
        cursor.execute(
            f"INSERT INTO {QUEUE} (message_id, account, content, priority, due_at, attempts) SELECT id, account,"
            """ '{"api": "sms", "channels": [{"channel": "sms", "text": "Your parcel is here"}]}', 20,"""
            f" now() - random() * interval '1 hour', 0 FROM {TABLE} WHERE status = 'queued'"
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}")
        cursor.execute(f"VACUUM ANALYZE {QUEUE}")
        cursor.execute("CHECKPOINT")
    # The system goes on writing to the disk after the checkpoint: for up to a minute after ten million rows.
    time.sleep((old + queued) / WRITTEN_PER_SECOND)


def measure(count: int) -> float:
    """Return the milliseconds of a claim, which is released before the next one."""
    from django_messente_dlr.sending.queue import claims

    durations = []
    for turn in range(-1, count):
        began = time.perf_counter()
        rows = claims.claim(["default"], CLAIM, lease=timedelta(minutes=5))
        if turn >= 0:
            durations.append((time.perf_counter() - began) * 1000)
        if len(rows) != CLAIM:
            raise SystemExit("The claim got too few messages.")
        claims.release(rows)
    return median(durations)
