"""How long an answer takes while the database is away: ``python -m benchmarks.outage``, on what DATABASE_URL names.

gunicorn serves the tests' project through a proxy before the database's server, which refuses connections, closes
them at once, or takes them and says nothing. The states take turns, and no answer may take longer than the 10 s for
which Messente waits. A test database is made for it, and dropped at the end.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import django

from tests.integration.processes.web import PATH, Web

sys.path += map(str, PATH)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection  # noqa: E402 - needs the settings

from django_messente_dlr.callbacks import callback_url  # noqa: E402
from tests.integration.processes.databases import url_of  # noqa: E402
from tests.integration.processes.proxy import Proxy  # noqa: E402
from tests.integration.processes.test_outage import TIMEOUTS, upstream  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callbacks", type=int, default=50, help="callbacks of each state in a round")
    options = parser.parse_args()
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with tempfile.TemporaryDirectory() as folder, Proxy(upstream()) as proxy:
            url = url_of(
                connection.settings_dict, connection.vendor, port=proxy.port, options=TIMEOUTS[connection.vendor]
            )
            with Web(Path(folder), url, workers=1, conn_max_age=0) as web:
                measure(web, proxy, rounds=options.rounds, callbacks=options.callbacks)
        connection.close()
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def measure(web: Web, proxy: Proxy, *, rounds: int, callbacks: int) -> None:
    states: dict[str, tuple[Callable[[], None], int, int]] = {
        "healthy": (lambda: None, 200, callbacks),
        "refuses": (proxy.go_away, 503, callbacks),
        "closes at once": (proxy.turn_away, 503, callbacks),
        "says nothing": (proxy.fall_silent, 503, 1),
    }
    seconds: dict[str, list[float]] = {state: [] for state in states}
    number = 0
    for _ in range(rounds):
        for state, (begin, status, count) in states.items():
            begin()
            for _ in range(count):
                number += 1
                seconds[state].append(answer(web, number, status=status))
            proxy.speak_again()
            proxy.go_away()
            proxy.come_back()
    usual = statistics.median(seconds["healthy"])
    line = "  ".join("=" * width for width in (16, 9, 11, 10, 9))
    print(f"{line}\n{'the database':<16}  {'answers':<9}  {'median (ms)':<11}  {'worst (ms)':<10}  ratio\n{line}")
    for state, taken in seconds.items():
        median = statistics.median(taken)
        told = f"{median * 1000:<11.1f}  {max(taken) * 1000:<10.1f}  {median / usual:.2f}"
        print(f"{state:<16}  {len(taken):<9}  {told}")
    print(line)


def answer(web: Web, number: int, *, status: int) -> float:
    """Report about an unknown message, which the ledger would keep; return the seconds until the answer."""
    parts, path = urlsplit(web.url), urlsplit(callback_url()).path
    began = time.perf_counter()
    messente = http.client.HTTPConnection(parts.netloc, timeout=10)
    messente.request("GET", f"{path}?sms_unique_id=id-{number}&stat=DELIVRD&err=")
    answered = messente.getresponse().status
    taken = time.perf_counter() - began
    messente.close()
    if answered != status:
        raise RuntimeError(f"It was answered {answered}.")
    return taken


if __name__ == "__main__":
    main()
