"""Poll over 25 connections while one of them gets a response that never ends (one byte a second).

The table compares a healthy server, one dripping connection, and the same without the deadline ``TOTAL_TIMEOUT``. A
run without the deadline does not end, so each run is ended after a time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median

from benchmarks.poll.database import databases, fill, setup
from benchmarks.poll.throughput import DELAY, stub_server
from benchmarks.receive.table import machine

CONNECTIONS = 25
# Longer than any cut-off.
NO_DEADLINE = 1_000_000.0
WIDTHS = (32, 24, 6)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll drip", description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--total-timeout", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--cut-off", type=float, default=30.0, metavar="SECONDS", help="end a run after this time")
    parser.add_argument("--prefix", default="bench_", help="prefix of the name of the new database")
    options = parser.parse_args(argv)
    name = f"{options.prefix}drip"
    setup([name])
    runs = {
        "healthy": (False, options.total_timeout),
        f"one of {CONNECTIONS} drips": (True, options.total_timeout),
        f"one of {CONNECTIONS} drips, no deadline": (True, NO_DEADLINE),
    }
    results: dict[str, list[float | None]] = {run: [] for run in runs}
    with databases([name]):
        for _ in range(options.rounds):
            for run, (drip, total_timeout) in runs.items():
                fill(name, count=options.messages, due=options.messages)
                results[run].append(measure(name, options, drip=drip, total_timeout=total_timeout))
    print(
        f"{machine()}, PostgreSQL; {options.messages} messages, responses after {DELAY * 1000:.0f} ms, TOTAL_TIMEOUT "
        f"{options.total_timeout:g} s; medians of {options.rounds} rounds\n"
    )
    line = "  ".join("=" * width for width in WIDTHS)
    print(line, _row("run", "seconds", "ratio"), line, sep="\n")
    for run, times in results.items():
        ratios = [time / healthy for time, healthy in zip(times, results["healthy"], strict=True) if time and healthy]
        ended = [time for time in times if time]
        seconds = f"{median(ended):.1f}" if len(ended) == len(times) else f"not within {options.cut_off:.0f} s"
        print(_row(run, seconds, f"{median(ratios):.2f}" if len(ended) == len(times) else ""))
    print(line)


def measure(name: str, options: argparse.Namespace, *, drip: bool, total_timeout: float) -> float | None:
    """Return the seconds of one poll run in a new process; None if it has not ended at the cut-off.

    Args:
        name: the name of the database.
        options: the options of the command line.
        drip: whether one connection gets a response that never ends.
        total_timeout: the setting ``TOTAL_TIMEOUT``, in seconds.
    """
    arguments = ["ours", str(options.messages), str(CONNECTIONS), name]
    with stub_server(tls=False, drip=drip) as environment:
        try:
            process = subprocess.run(
                [sys.executable, "-m", "benchmarks.poll.run", *arguments],
                check=True,
                stdout=subprocess.PIPE,
                env={**os.environ, **environment, "BENCH_TOTAL_TIMEOUT": str(total_timeout)},
                timeout=options.cut_off,
            )
        except subprocess.TimeoutExpired:
            return None
    seconds: float = json.loads(process.stdout)["seconds"]
    return seconds


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
