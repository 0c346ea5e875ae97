"""Run a night on the database of DATABASE_URL, in a test database, and compare what was sent with the rows."""

from __future__ import annotations

from typing import Any

from tests.soak.on_test_database import describe, run_on_test_database

# isort: split
# These need the settings, which the module above sets up.
from tests.soak.queue.counts import compare
from tests.soak.queue.night import Options, live


def run(**values: Any) -> tuple[bool, str]:
    """Run a night; return whether all counts agree, and a text with every count.

    Args:
        values: the values of `Options`.
    """
    options = Options(**values)
    night, lines = run_on_test_database(
        lambda database, folder: live(options, database=database, folder=folder), compare
    )
    return all(line.agrees for line in lines), describe(str(night), lines, night.notes)
