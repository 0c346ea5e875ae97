"""Turns in, a table out: ratios within each round, their median and their range."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.receive.series import Plan, Turn

PEER = "c"
WIDTHS = (24, 8, 19, 10, 10)


def machine() -> str:
    """Return a sentence about the machine on which this runs."""
    model = "a processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def table(plan: Plan, turns: Sequence[Turn]) -> str:
    """Return the table of a series in reStructuredText."""
    line = "  ".join("=" * width for width in WIDTHS)
    rows = [line, _row("handler", "ratio", "range", "requests/s", "p99 (ms)"), line]
    peers = {turn.round: turn.rate for turn in turns if turn.handler == PEER}
    for name in plan.handlers:
        own = [turn for turn in turns if turn.handler == name]
        if not own:
            continue
        ratios = sorted(turn.rate / peers[turn.round] for turn in own) if peers else []
        told = (f"{median(ratios):.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}") if ratios else ("", "")
        p99 = median(turn.p99 for turn in own) * 1000
        rows.append(_row(name, *told, f"{median(turn.rate for turn in own):.0f}", f"{p99:.1f}"))
    return "\n".join([*rows, line])


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
