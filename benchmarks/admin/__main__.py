"""Measure the admin pages at two table sizes: ``python -m benchmarks.admin [--url postgres://…] …``.

The benchmark creates a database for each size, and drops both at the end. It requests a page at one size and then the
same page at the other, so that other load on the machine affects both. It prints the two medians and their ratio. The
exit code is 1 if a page takes more than ``--limit`` times as long at the large size.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

TARGETS = {
    "list": "smsmessage/",
    "list, deep": "smsmessage/?p=older-{middle}",
    "list, failed": "smsmessage/?status=failed",
    "list, unresolved": "smsmessage/?status=unresolved",
    "list, rare cause": "smsmessage/?cause=7",
    "list, last hour": "smsmessage/?age=hour",
    "search, number": "smsmessage/?q=%2B372+5000+0007",
    "search, id": "smsmessage/?q=id-7",
    "one message": "smsmessage/{middle}/change/",
    "reports": "deliveryreport/",
    "orphans": "deliveryreport/?outcome=orphan",
    "overview, 24 hours": "messagestatistics/?window=24h",
    "overview, 7 days": "messagestatistics/?window=7d",
    "overview, 30 days": "messagestatistics/?window=30d",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admin", description=__doc__)
    url = os.environ.get("DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
    parser.add_argument(
        "--url", default=url, help="URL of an existing database; the new databases are created on its server."
    )
    parser.add_argument("--small", type=int, default=1_000, help="Messages in the small database.")
    parser.add_argument("--large", type=int, default=1_000_000, help="Messages in the large database.")
    parser.add_argument("--rounds", type=int, default=25, help="Requests of each page at each size.")
    parser.add_argument("--limit", type=float, default=1.5, help="Highest accepted ratio of large to small.")
    options = parser.parse_args()
    configure(options.url)

    from benchmarks.admin import rows

    sizes = {"small": options.small, "large": options.large}
    with rows.databases(list(sizes)):
        for alias, size in sizes.items():
            started = time.monotonic()
            rows.fill(alias, size)
            print(f"{size:,} messages and their reports: {time.monotonic() - started:.0f} s to insert and to count")
        return print_table(measure(sizes, rounds=options.rounds), limit=options.limit)


def configure(url: str) -> None:
    """Set up Django with the test project and a database for each size on the server of ``url``."""
    import dj_database_url
    import django
    from django.conf import settings

    # The test settings install the example shop.
    sys.path.insert(0, str(Path(__file__).parents[2] / "example_project"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    name = f"messente_dlr_bench_{os.getpid()}"
    settings.DATABASES = {
        "default": dj_database_url.parse(url),
        **{alias: {**dj_database_url.parse(url), "NAME": f"{name}_{alias}"} for alias in ("small", "large")},
    }
    settings.DATABASE_ROUTERS = ["benchmarks.admin.rows.Router"]
    # Sessions in cookies: the measured requests run no query for the session.
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.ALLOWED_HOSTS = ["testserver"]
    django.setup()


def measure(sizes: dict[str, int], *, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median time in milliseconds for each page and size."""
    from django.test import Client

    from benchmarks.admin import rows

    clients: dict[str, Any] = {}
    for alias in sizes:
        with rows.using(alias):
            clients[alias] = Client()
            clients[alias].force_login(rows.superuser())
    medians: dict[str, dict[str, float]] = {}
    for name, target in TARGETS.items():
        durations: dict[str, list[float]] = {alias: [] for alias in sizes}
        for turn in range(rounds + 3):
            for alias in sorted(sizes, reverse=bool(turn % 2)):
                path = "/admin/django_messente_dlr/" + target.format(middle=rows.middle(alias, sizes[alias]))
                with rows.using(alias):
                    started = time.perf_counter()
                    response = clients[alias].get(path)
                    duration = time.perf_counter() - started
                assert response.status_code == 200, (path, response)
                if turn >= 3:  # the first three rounds fill caches
                    durations[alias].append(duration)
        medians[name] = {alias: statistics.median(values) * 1000 for alias, values in durations.items()}
    return medians


def print_table(medians: dict[str, dict[str, float]], *, limit: float) -> int:
    """Print the medians and ratios, and return the exit code: 1 if a ratio exceeds ``limit``, otherwise 0."""
    print(f"\n{'page':<22}{'small (ms)':>12}{'large (ms)':>12}{'ratio':>8}")
    worst = 0.0
    for name, times in medians.items():
        ratio = times["large"] / times["small"]
        worst = max(worst, ratio)
        print(f"{name:<22}{times['small']:>12.1f}{times['large']:>12.1f}{ratio:>8.2f}")
    print(f"\nHighest ratio: {worst:.2f}; limit: {limit}.")
    return int(worst > limit)


if __name__ == "__main__":
    sys.exit(main())
