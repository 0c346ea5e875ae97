"""Measure response times while the database is unavailable: ``python -m benchmarks.outage``.

``DATABASE_URL`` selects the database. gunicorn serves the test project, which connects to the database through a
proxy. The proxy refuses connections, closes them at once, or accepts them and sends nothing. These states alternate
with a healthy one. No response may take longer than 10 s, which is how long Messente waits. The benchmark creates a
test database, and drops it at the end.
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
    parser.add_argument("--callbacks", type=int, default=50, help="callbacks for each state in a round")
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
    """Send callbacks in each state of the database, and print a table of the response times."""
    states: dict[str, tuple[Callable[[], None], int, int]] = {
        "healthy": (lambda: None, 200, callbacks),
        "refuses": (proxy.go_away, 503, callbacks),
        "closes at once": (proxy.turn_away, 503, callbacks),
        "sends nothing": (proxy.fall_silent, 503, 1),
    }
    seconds: dict[str, list[float]] = {state: [] for state in states}
    number = 0
    for _ in range(rounds):
        for state, (enter_state, status, count) in states.items():
            enter_state()
            for _ in range(count):
                number += 1
                seconds[state].append(time_callback(web, number, status=status))
            proxy.speak_again()
            proxy.go_away()
            proxy.come_back()
    healthy_median = statistics.median(seconds["healthy"])
    line = "  ".join("=" * width for width in (16, 9, 11, 10, 9))
    print(f"{line}\n{'the database':<16}  {'responses':<9}  {'median (ms)':<11}  {'worst (ms)':<10}  ratio\n{line}")
    for state, durations in seconds.items():
        median = statistics.median(durations)
        cells = f"{median * 1000:<11.1f}  {max(durations) * 1000:<10.1f}  {median / healthy_median:.2f}"
        print(f"{state:<16}  {len(durations):<9}  {cells}")
    print(line)


def time_callback(web: Web, number: int, *, status: int) -> float:
    """Send a report of an unknown message, and return the seconds until the response.

    With a healthy database, the package keeps such a report as an orphan.

    Args:
        web: the server.
        number: a number that makes the message id unique.
        status: the HTTP status that the response must have.

    Raises:
        RuntimeError: the response has another status.
    """
    address, path = urlsplit(web.url).netloc, urlsplit(callback_url()).path
    began = time.perf_counter()
    http_connection = http.client.HTTPConnection(address, timeout=10)
    http_connection.request("GET", f"{path}?sms_unique_id=id-{number}&stat=DELIVRD&err=")
    response_status = http_connection.getresponse().status
    duration = time.perf_counter() - began
    http_connection.close()
    if response_status != status:
        raise RuntimeError(f"The response status is {response_status}, not {status}.")
    return duration


if __name__ == "__main__":
    main()
