"""``send_sms`` beside a bare ``requests.post``: ``python -m benchmarks.sending [--messages 200] [--rounds 5]``.

Both speak to the local Messente over loopback, by turns. The bare one makes a connection for every message and keeps
nothing; ours keeps its connection, commits a row first and another change afterwards, in an SQLite file.
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
    parser.add_argument("--messages", type=int, default=200, help="in a round")
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
    import requests
    from django.conf import settings
    from django.test import override_settings

    from django_messente_dlr.sandbox import Sandbox
    from django_messente_dlr.sending import send_sms

    own = settings.MESSENTE_DLR
    with Sandbox(accounts={own["USERNAME"]: own["PASSWORD"]}, port=0) as sandbox:
        data = {"username": own["USERNAME"], "password": own["PASSWORD"], "to": NUMBER, "text": "Hello"}

        def bare() -> None:
            if not requests.post(f"{sandbox.url}/send_sms/", data=data, timeout=10).text.startswith("OK"):
                raise RuntimeError("It was not taken.")

        def ours() -> None:
            send_sms(NUMBER, "Hello")

        told: dict[Callable[[], None], list[float]] = {bare: [], ours: []}
        # No dlr-url: else the callbacks would be measured too.
        with override_settings(MESSENTE_DLR={**own, "API_HOSTS": [sandbox.url], "CALLBACK_BASE_URL": None}):
            for _ in range(rounds):
                for send, results in told.items():
                    began = time.perf_counter()
                    for _ in range(messages):
                        send()
                    results.append((time.perf_counter() - began) / messages * 1000)
    for name, results in (("requests.post", told[bare]), ("send_sms", told[ours])):
        print(f"{name:14} {median(results):6.2f} ms a message ({min(results):.2f} to {max(results):.2f})")
    print(f"ratio          {median(a / b for a, b in zip(told[ours], told[bare], strict=True)):6.2f}")


if __name__ == "__main__":
    main()
