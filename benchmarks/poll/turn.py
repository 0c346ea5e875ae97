"""One measured run in a process of its own: ``python -m benchmarks.poll.turn HOW MESSAGES CONCURRENCY DATABASE``.

Prints seconds, seconds of CPU and peak memory (MiB) as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.poll.database import setup
from benchmarks.receive.databases import message_id


def loop(messages: int, concurrency: int) -> int:
    """Ask as the documentation's example leads one to write it: one by one, each on a connection of its own."""
    import requests

    from django_messente_dlr.models import SmsMessage

    done = 0
    for message in SmsMessage.objects.filter(status="sent")[:messages]:
        parameters = {"username": "bench", "password": "secret", "sms_unique_id": message.sms_unique_id}
        answer = requests.get(f"{os.environ['BENCH_URL']}/get_dlr_response/", params=parameters, timeout=10)
        if answer.text == "OK DELIVERED":
            message.status = "delivered"
            message.save()
            done += 1
    return done


def sessions(messages: int, concurrency: int) -> int:
    """Ask with a Session a thread and write nothing down: the least that requests can do it for."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import requests

    local = threading.local()

    def ask(number: int) -> bool:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        body = {"username": "bench", "password": "secret", "sms_unique_id": message_id(number)}
        answer = local.session.post(f"{os.environ['BENCH_URL']}/get_dlr_response/", data=body, timeout=10)
        return bool(answer.text == "OK DELIVERED")

    with ThreadPoolExecutor(concurrency) as pool:
        return sum(pool.map(ask, range(messages)))


def ours(messages: int, concurrency: int) -> int:
    """Ask as poll_dlrs does."""
    from django_messente_dlr.polling import Poller

    return Poller(concurrency=concurrency, limit=messages).run(sweeping=False).final


HOW: dict[str, Callable[[int, int], int]] = {"loop": loop, "sessions": sessions, "ours": ours}


def main() -> dict[str, Any]:
    how, messages, concurrency, database = sys.argv[1:]
    setup([database])
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    done = HOW[how](int(messages), int(concurrency))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    if done != int(messages):
        raise SystemExit(f"{how} learnt the end of {done} messages, not of {messages}.")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss / 1024}


if __name__ == "__main__":
    print(json.dumps(main()))
