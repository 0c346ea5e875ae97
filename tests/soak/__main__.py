"""Run a day of any length on the database of DATABASE_URL: ``python -m tests.soak --messages 20000``.

The command creates a test database, prints every count, and exits with 1 if one does not agree. ``tox -e soak`` runs
the command on PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django

from tests.integration.processes.web import PATH

sys.path += map(str, PATH)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection  # noqa: E402 - needs the settings

from django_messente_dlr.sandbox.callbacks import TIME_OUT  # noqa: E402
from tests.integration.processes.databases import shared  # noqa: E402
from tests.soak.counts import compare  # noqa: E402
from tests.soak.day import Day, live  # noqa: E402
from tests.soak.plan import plan  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that no report is lost and none is stored twice.")
    parser.add_argument(
        "--messages", type=int, default=20_000, metavar="N", help="the number of messages, a multiple of 100"
    )
    parser.add_argument(
        "--kill-every", type=float, default=5.0, metavar="SECONDS", help="the time between two kills of a worker"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed for the order of the messages")
    options = parser.parse_args()
    planned = plan(options.messages, seed=options.seed)
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with tempfile.TemporaryDirectory(prefix="dlr-soak-") as folder, shared(Path(folder)) as database:
            day = live(planned, database=database, folder=Path(folder), kill_every=options.kill_every)
            lines = compare(day)
            connection.close()
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    print(f"{connection.vendor}: {_summary(day)}\n")
    print(f"     {'':<66} {'expected':>16} {'actual':>8}", *lines, sep="\n")
    return 0 if all(line.agrees for line in lines) else 1


def _summary(day: Day) -> str:
    """Return the counts of the day for which no value is expected."""
    timed_out = sum(attempt.error == TIME_OUT for attempt in day.attempts)
    cut_off = sum(attempt.status is None for attempt in day.attempts) - timed_out
    refused = sum(attempt.status not in {None, 200} for attempt in day.attempts)
    repeated = sum(times > 1 for times in day.signals.values())
    return (
        f"{len(day.planned)} messages in {day.seconds:.0f} s; {len(day.attempts)} callbacks: {cut_off} cut off, "
        f"{timed_out} timed out, {refused} answered with another status than 200; {len(day.killed)} workers killed; "
        f"{repeated} signals repeated"
    )


if __name__ == "__main__":
    raise SystemExit(main())
