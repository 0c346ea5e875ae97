"""Show the demo's messages: as a live table in a terminal, otherwise as one line of text for each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {
    "delivered": "green",
    "seen": "green",
    "failed": "red",
    "rejected": "red",
    "unresolved": "yellow",
    "cancelled": "magenta",
    "sent": "cyan",
    "queued": "cyan",
}
# The columns that never shrink, with the width of their longest value.
FIXED_COLUMNS = {"Recipient": 12, "Status": 10, "Expected": 10, "Source": 11}
# Columns of the terminal from which the cause and the scenario have a column each.
WIDE = 140


@dataclass(frozen=True, slots=True)
class Row:
    """One message in the table."""

    recipient: str
    status: str
    expected: str
    source: str
    cause: str
    description: str


class LiveTable:
    """Show rows, and update them when they change.

    Args:
        console: the console to show the table on.
        write: called with a line of text for each change if the console is no terminal.
    """

    def __init__(self, console: Console, write: Callable[[str], None]) -> None:
        self._console = console
        self._write = write
        self._rows: dict[int, Row] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show the current rows."""
        changed = {number: row for number, row in enumerate(rows, 1) if self._rows.get(number) != row}
        self._rows |= changed
        if self._live is not None:
            if changed:
                self._live.update(
                    build_table(rows, width=self._console.width, height=self._console.height), refresh=True
                )
            return
        for number, row in changed.items():
            self._write(f"{number:>3}  {row.recipient}  {row.status:<10}  {row.cause or row.description}")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def build_table(rows: Sequence[Row], *, width: int, height: int = 0) -> Table:
    """Return the table of the rows.

    A terminal narrower than `WIDE` shows the cause and the scenario in one column, and no expected status.

    Args:
        rows: one row for each message.
        width: the number of columns in the terminal.
        height: the number of lines in the terminal, 0 for no limit. Rows with the expected status are left out first
            when the table is too tall.
    """
    table = Table(title="Status of every SMS", expand=True)
    # Only the last columns shrink: a long cause would otherwise cut the recipients and the statuses.
    for heading, min_width in FIXED_COLUMNS.items():
        if heading != "Expected" or width >= WIDE:
            table.add_column(heading, no_wrap=True, min_width=min_width)
    for heading in ("Cause", "Scenario") if width >= WIDE else ("Cause or scenario",):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1)
    capacity = max(height - 6, 5) if height else len(rows)
    visible = list(rows)
    if len(visible) > capacity:
        visible = sorted(visible, key=lambda row: row.status == row.expected)[: capacity - 1]
    for row in visible:
        status = Text(row.status, style=COLOURS.get(row.status, ""))
        if width >= WIDE:
            table.add_row(row.recipient, status, row.expected, row.source, row.cause, row.description)
        else:
            table.add_row(row.recipient, status, row.source, row.cause or row.description)
    if len(visible) < len(rows):
        table.add_row(
            f"{len(rows) - len(visible)} more",
            *([""] * (len(table.columns) - 2)),
            "Make the terminal taller to show all.",
        )
    return table
