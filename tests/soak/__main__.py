"""``python -m tests.soak --messages 20000``: a day of any length, on the database that DATABASE_URL names.

It makes a test database there, prints every count, and exits with 1 where one does not agree. ``tox -e soak`` runs it
on PostgreSQL.
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
    parser = argparse.ArgumentParser(description="Prove that nothing is lost and nothing is written twice.")
    parser.add_argument("--messages", type=int, default=20_000, metavar="N", help="a multiple of 100")
    parser.add_argument("--kill-every", type=float, default=5.0, metavar="SECONDS", help="from one death to the next")
    parser.add_argument("--seed", type=int, default=1, help="draws the order of the messages")
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
    print(f"{connection.vendor}: {_figures(day)}\n")
    print(f"     {'':<66} {'expected':>16} {'found':>8}", *lines, sep="\n")
    return 0 if all(line.agrees for line in lines) else 1


def _figures(day: Day) -> str:
    """Return what is not promised, but good to know."""
    late = sum(attempt.error == TIME_OUT for attempt in day.attempts)
    broken = sum(attempt.status is None for attempt in day.attempts) - late
    refused = sum(attempt.status not in {None, 200} for attempt in day.attempts)
    again = sum(times > 1 for times in day.heard.values())
    return (
        f"{len(day.planned)} messages in {day.seconds:.0f} s, {len(day.attempts)} callbacks, of which {broken} "
        f"were cut off, {late} not answered in time and {refused} not with 200; {len(day.deaths)} workers died; "
        f"{again} signals came again"
    )


if __name__ == "__main__":
    raise SystemExit(main())
