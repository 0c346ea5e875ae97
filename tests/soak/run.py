"""Run a day on the database of DATABASE_URL, in a test database, and return the comparison."""

from __future__ import annotations

from typing import Any

from django_messente_dlr.sandbox.callbacks import TIME_OUT
from tests.soak.on_test_database import describe, run_on_test_database

# isort: split
# These need the settings, which the module above sets up.
from tests.soak.counts import compare
from tests.soak.day import Day, Options, live


def run(**values: Any) -> tuple[bool, str]:
    """Run a day; return whether all counts agree, and a text with every count.

    Args:
        values: the values of `Options`.
    """
    options = Options(**values)
    day, lines = run_on_test_database(
        lambda database, folder: live(options, database=database, folder=folder), compare
    )
    return all(line.agrees for line in lines), describe(_summary(day), lines)


def _summary(day: Day) -> str:
    """Return the counts of the day for which no value is expected."""
    timed_out = sum(attempt.error == TIME_OUT for attempt in day.attempts)
    cut_off = sum(attempt.status is None for attempt in day.attempts) - timed_out
    refused = sum(attempt.status not in {None, 200} for attempt in day.attempts)
    repeated = sum(times > 1 for times in day.signals.values())
    isolation = day.options.isolation or "default isolation level"
    return (
        f"{len(day.planned)} messages ({day.options.api}, {day.options.order}, {isolation}) in {day.seconds:.0f} s; "
        f"{len(day.attempts)} callbacks: {cut_off} cut off, {timed_out} timed out, {refused} answered with another "
        f"status than 200; {len(day.killed)} workers killed; {repeated} signals repeated"
    )
