"""Measure how fast a worker sends to a local Messente that answers after 100 ms, while the reports come back.

The result is a share of the rate limit, which is the number of messages per second that requests for one message
allow: one by one with 16 threads, or in bulk requests. At the end, every message must be delivered.
"""

from __future__ import annotations

import argparse
import os
import socket
import time

from benchmarks.queue.database import database
from benchmarks.queue.servers import fake_messente, project
from benchmarks.receive.table import machine


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue send", description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--bulk", action="store_true", help="send by the Omnichannel API in bulk requests")
    parser.add_argument("--rate", type=float, default=100.0, help="requests per second")
    parser.add_argument("--concurrency", type=int, default=16, help="threads")
    parser.add_argument("--delay", type=float, default=100.0, metavar="MS", help="the time of Messente's answer")
    parser.add_argument("--workers", type=int, default=2, help="processes of the web server")
    parser.add_argument("--no-callbacks", action="store_true", help="send no reports back")
    options = parser.parse_args(argv)
    callbacks = not options.no_callbacks
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    environment = {
        "BENCH_CALLBACK_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "BENCH_API": "omnichannel" if options.bulk else "sms",
    }
    with (
        fake_messente(options.delay, callbacks=callbacks) as url,
        database(BENCH_URL=url, **environment),
        project(listener, options.workers),
    ):
        seconds, delivered_after = measure(options.messages, options.rate, options.concurrency, callbacks=callbacks)
    per_second = options.messages / seconds
    print(f"{machine()}, PostgreSQL; load {os.getloadavg()[0]:.0f}")
    print(
        f"{options.messages} messages{' in bulk' if options.bulk else ''}, answers after {options.delay:g} ms: "
        f"{seconds:.1f} s, {per_second:.0f} messages per second, {per_second / options.rate:.2f} of the rate limit"
    )
    if callbacks:
        print(f"all delivered {delivered_after:.1f} s after the start")


def measure(messages: int, rate: float, concurrency: int, *, callbacks: bool) -> tuple[float, float]:
    """Return the seconds until all messages were sent, and until all were delivered."""
    from django_messente_dlr.models import QueuedMessage, SmsMessage
    from django_messente_dlr.sending import queue_many
    from django_messente_dlr.sending.queue.worker import QueueWorker

    queue_many({"to": f"+3725{n:07}", "text": "Your parcel is here", "sender": "Shop"} for n in range(messages))
    began = time.perf_counter()
    summary = QueueWorker(rate=rate, concurrency=concurrency).run()
    seconds = time.perf_counter() - began
    if summary.sent != messages or QueuedMessage.objects.exists():
        raise SystemExit(f"Not all messages were sent: {summary}")
    while callbacks and SmsMessage.objects.exclude(status="delivered").exists():
        if time.perf_counter() - began > 20 * seconds + 60:
            raise SystemExit("Not all messages were delivered.")
        time.sleep(0.2)
    return seconds, time.perf_counter() - began
