"""Make a table from measured turns: medians, ratios within each round, and their intervals."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.receive.medians import confidence_interval
from benchmarks.receive.series import Plan, Turn

WIDTHS = (20, 5, 12, 12, 10, 8, 9, 12)


def machine() -> str:
    """Return a description of this machine: its cores, processor, system and Python."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def table(plan: Plan, turns: Sequence[Turn]) -> str:
    """Return the table of a series in reStructuredText."""
    line = "  ".join("=" * width for width in WIDTHS)
    heads = ("handler", "ratio", "95 %", "range", "requests/s", "p99 (ms)", "p99 ratio", "95 %")
    rows = [line, _row(*heads), line]
    peers = {turn.round: turn for turn in turns if turn.handler == plan.peer}
    for name in plan.handlers:
        handler_turns = [turn for turn in turns if turn.handler == name]
        if not handler_turns:
            continue
        rates = [turn.rate for turn in handler_turns]
        p99s = [turn.p99 for turn in handler_turns]
        cells = [name, "", "", "", f"{median(rates):.0f}", f"{median(p99s) * 1000:.1f}", "", ""]
        if peers:
            ratios = [turn.rate / peers[turn.round].rate for turn in handler_turns]
            p99_ratios = [turn.p99 / peers[turn.round].p99 for turn in handler_turns]
            cells[1:4] = [
                f"{median(ratios):.2f}",
                _interval(*confidence_interval(ratios)),
                _interval(min(ratios), max(ratios)),
            ]
            cells[6:] = [f"{median(p99_ratios):.2f}", _interval(*confidence_interval(p99_ratios))]
        rows.append(_row(*cells))
    return "\n".join([*rows, line])


def _interval(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}"


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
