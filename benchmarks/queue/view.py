"""Compare a view that queues an SMS under ``ATOMIC_REQUESTS`` with ``send_sms``, and with django-post_office.

Each view has one request in each round, in a random order, by Django's test client. ``send_sms`` waits for a local
Messente, which answers after ``--delay`` milliseconds.
"""

from __future__ import annotations

import argparse
import random
import time
from statistics import median

from benchmarks.queue.database import database
from benchmarks.queue.servers import fake_messente
from benchmarks.receive.medians import confidence_interval
from benchmarks.receive.table import machine

VIEWS = {"nothing": "nothing", "queue_sms": "queue", "send_sms": "send", "mail.send": "post-office"}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue view", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--delay", type=float, default=100.0, metavar="MS", help="the time of Messente's answer")
    options = parser.parse_args(argv)
    with fake_messente(options.delay, callbacks=False) as url, database(BENCH_URL=url) as connection:
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        client, statements = Client(), dict[str, int]()
        times: dict[str, list[float]] = {view: [] for view in VIEWS}
        for turn in range(-5, options.rounds):  # the first rounds are not counted
            for view in random.sample(list(VIEWS), len(VIEWS)):
                began = time.perf_counter()
                response = client.get(f"/{VIEWS[view]}/")
                if turn >= 0:
                    times[view].append((time.perf_counter() - began) * 1000)
                if response.content != b"OK":
                    raise SystemExit(f"The view {view} failed.")
        for view, path in VIEWS.items():
            with CaptureQueriesContext(connection) as queries:
                client.get(f"/{path}/")
            statements[view] = len(queries)
        print(f"{machine()}, PostgreSQL; medians of {options.rounds} rounds, answers after {options.delay:g} ms\n")
        for view, durations in times.items():
            low, high = confidence_interval(durations)
            print(f"{view:10} {median(durations):7.2f} ms ({low:.2f} to {high:.2f}), {statements[view]} statements")
