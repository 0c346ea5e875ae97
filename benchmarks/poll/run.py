"""Do one measured run: ``python -m benchmarks.poll.run METHOD MESSAGES CONCURRENCY DATABASE``.

`throughput` starts a new process for each run. The process prints the time (s), the CPU time (s) and the peak memory
(MiB) as JSON.
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
    """Poll as in Messente's example: one message after another, with a new connection for each."""
    import requests

    from django_messente_dlr.models import SmsMessage

    delivered = 0
    for message in SmsMessage.objects.filter(status="sent")[:messages]:
        parameters = {"username": "bench", "password": "secret", "sms_unique_id": message.sms_unique_id}
        response = requests.get(f"{os.environ['BENCH_URL']}/get_dlr_response/", params=parameters, timeout=10)
        if response.text == "OK DELIVERED":
            message.status = "delivered"
            message.save()
            delivered += 1
    return delivered


def sessions(messages: int, concurrency: int) -> int:
    """Poll with one ``requests.Session`` per thread and store nothing: the lowest cost possible with requests."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import requests

    local = threading.local()

    def poll(number: int) -> bool:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        body = {"username": "bench", "password": "secret", "sms_unique_id": message_id(number)}
        response = local.session.post(f"{os.environ['BENCH_URL']}/get_dlr_response/", data=body, timeout=10)
        return bool(response.text == "OK DELIVERED")

    with ThreadPoolExecutor(concurrency) as pool:
        return sum(pool.map(poll, range(messages)))


def ours(messages: int, concurrency: int) -> int:
    """Poll as the command ``poll_dlrs`` does."""
    from django_messente_dlr.polling import Poller

    return Poller(concurrency=concurrency, limit=messages).run(sweeping=False).final


METHODS: dict[str, Callable[[int, int], int]] = {"loop": loop, "sessions": sessions, "ours": ours}


def main() -> dict[str, Any]:
    """Run the method of the command line once, and return its measurements."""
    method, messages, concurrency, database = sys.argv[1:]
    setup([database])
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    delivered = METHODS[method](int(messages), int(concurrency))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    if delivered != int(messages):
        raise SystemExit(f"{method} received a final status for {delivered} of {messages} messages.")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss / 1024}


if __name__ == "__main__":
    print(json.dumps(main()))
