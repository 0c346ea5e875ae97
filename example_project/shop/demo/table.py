"""Shows the messages in the terminal: a live table where there is one, a line for each change where there is none."""

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
    "sent": "cyan",
    "queued": "cyan",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One message as the table shows it."""

    recipient: str
    status: str
    expected: str
    how: str
    cause: str
    story: str


class Board:
    """Shows lines, and shows them again when they change.

    Args:
        console: the terminal, or whatever stands for it.
        write: writes a plain line where there is no terminal.
    """

    def __init__(self, console: Console, write: Callable[[str], None]) -> None:
        self._console = console
        self._write = write
        self._shown: dict[int, Line] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def show(self, lines: Sequence[Line]) -> None:
        """Show the lines as they are now."""
        changed = {number: line for number, line in enumerate(lines, 1) if self._shown.get(number) != line}
        self._shown |= changed
        if self._live is not None:
            if changed:
                self._live.update(table(lines, rows=self._console.height), refresh=True)
            return
        for number, line in changed.items():
            self._write(f"{number:>3}  {line.recipient}  {line.status:<10}  {line.cause or line.story}")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def table(lines: Sequence[Line], *, rows: int = 0) -> Table:
    """Return the table; what is well already goes out of view first where the terminal has too few rows."""
    grid = Table(title="What became of every SMS", expand=True)
    for heading in ("Recipient", "Status", "Should be", "Learnt by", "Cause", "Story"):
        grid.add_column(heading, no_wrap=heading != "Story", overflow="ellipsis")
    room = max(rows - 6, 5) if rows else len(lines)
    shown = list(lines)
    if len(shown) > room:
        shown = sorted(shown, key=lambda line: line.status == line.expected)[: room - 1]
    for line in shown:
        status = Text(line.status, style=COLOURS.get(line.status, ""))
        grid.add_row(line.recipient, status, line.expected, line.how, line.cause, line.story)
    if len(shown) < len(lines):
        grid.add_row("…", f"{len(lines) - len(shown)} more", "", "", "", "Make the terminal taller to see all.")
    return grid
