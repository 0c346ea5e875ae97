"""Run a soak test on a test database of DATABASE_URL, and return the comparison as text."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import django

from tests.integration.processes.web import PATH
from tests.soak.lines import Line

sys.path += map(str, PATH)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection  # noqa: E402 - needs the settings

from tests.integration.processes.databases import shared  # noqa: E402

Outcome = TypeVar("Outcome")


def run_on_test_database(
    live: Callable[[str, Path], Outcome], compare: Callable[[Outcome], Iterable[Line]]
) -> tuple[Outcome, list[Line]]:
    """Create a test database, do what is tested, and return the result of that with its comparison.

    Args:
        live: does what is tested, with the ``DATABASE_URL`` of the database and a folder for files.
        compare: compares the result with the rows of the database.
    """
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with tempfile.TemporaryDirectory(prefix="dlr-soak-") as folder, shared(Path(folder)) as database:
            outcome = live(database, Path(folder))
            lines = list(compare(outcome))
            connection.close()
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    return outcome, lines


def describe(summary: str, lines: Iterable[Line], notes: Iterable[str] = ()) -> str:
    """Return the text of a comparison.

    Args:
        summary: the counts for which no value is expected.
        lines: the counts that are compared.
        notes: further lines.
    """
    heading = f"     {'':<66} {'expected':>16} {'actual':>8}"
    return "\n".join([f"{connection.vendor}: {summary}", "", heading, *map(str, lines), *notes])
