"""Compare ``send_sms`` with ``requests.post``: ``python -m benchmarks.sending [--messages 200] [--rounds 5]``.

Both send to the sandbox over loopback, in alternating rounds. ``requests.post`` opens a connection for every message
and stores nothing. ``send_sms`` keeps its connection open. It commits a row before the request and an update after it
to an SQLite file.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from statistics import median

from benchmarks.receive import databases

NUMBER = "+37255500000"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description=__doc__)
    parser.add_argument("--messages", type=int, default=200, help="messages in a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_DATABASE"] = json.dumps(databases.entry("sqlite", f"{folder}/db.sqlite3"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.receive.settings"
        import django

        django.setup()
        databases.create()
        compare(arguments.messages, arguments.rounds)


def compare(messages: int, rounds: int) -> None:
    """Send messages in both ways, and print the medians and their ratio."""
    import requests
    from django.conf import settings
    from django.test import override_settings

    from django_messente_dlr.sandbox import Sandbox
    from django_messente_dlr.sending import send_sms

    config = settings.MESSENTE_DLR
    with Sandbox(accounts={config["USERNAME"]: config["PASSWORD"]}, port=0) as sandbox:
        data = {"username": config["USERNAME"], "password": config["PASSWORD"], "to": NUMBER, "text": "Hello"}

        def send_by_requests() -> None:
            if not requests.post(f"{sandbox.url}/send_sms/", data=data, timeout=10).text.startswith("OK"):
                raise RuntimeError("The sandbox did not accept the message.")

        def send_by_package() -> None:
            send_sms(NUMBER, "Hello")

        durations: dict[Callable[[], None], list[float]] = {send_by_requests: [], send_by_package: []}
        # Without a base URL, no dlr-url is sent: otherwise the time of the callbacks would be measured too.
        with override_settings(MESSENTE_DLR={**config, "API_HOSTS": [sandbox.url], "CALLBACK_BASE_URL": None}):
            for _ in range(rounds):
                for send, results in durations.items():
                    began = time.perf_counter()
                    for _ in range(messages):
                        send()
                    results.append((time.perf_counter() - began) / messages * 1000)
    for name, results in (("requests.post", durations[send_by_requests]), ("send_sms", durations[send_by_package])):
        print(f"{name:14} {median(results):6.2f} ms per message ({min(results):.2f} to {max(results):.2f})")
    pairs = zip(durations[send_by_package], durations[send_by_requests], strict=True)
    print(f"ratio          {median(package / bare for package, bare in pairs):6.2f}")


if __name__ == "__main__":
    main()
