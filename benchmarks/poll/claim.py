"""Claim 500 due messages in PostgreSQL tables of several sizes, and print the query plan."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from statistics import median

from benchmarks.poll.database import Router, databases, fill, setup
from benchmarks.receive.table import machine

BATCH = 500
PENDING_SHARE = 50  # one message in 50 is pending
WIDTHS = (12, 10, 12, 8, 16)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll claim", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--prefix", default="bench_", help="prefix of the names of the new databases")
    parser.add_argument("--scattered", action="store_true", help="spread the due messages among all rows")
    options = parser.parse_args(argv)
    names = {size: f"{options.prefix}claim_{size}" for size in options.sizes}
    setup(list(names.values()))
    from django.utils import timezone

    from django_messente_dlr.models import PendingPoll

    durations: dict[int, list[float]] = {size: [] for size in names}
    due = {size: max(size // PENDING_SHARE, BATCH * (options.rounds + 1)) for size in names}
    with databases(list(names.values())):
        for size, name in names.items():
            fill(name, count=size, due=due[size], scattered=options.scattered)
        for number in range(options.rounds + 1):
            for size, name in names.items():
                Router.alias = name
                began = time.perf_counter()
                claimed = PendingPoll.objects.claim(BATCH, now=timezone.now(), lease=timedelta(minutes=5))
                if number:  # the first round is not counted: it fills caches
                    durations[size].append(time.perf_counter() - began)
                assert len(claimed) == BATCH
        print(f"{machine()}, PostgreSQL; {BATCH} messages claimed at a time; medians of {options.rounds} rounds\n")
        line = "  ".join("=" * width for width in WIDTHS)
        print(line, _row("messages", "due", "claim (ms)", "ratio", "range (ms)"), line, sep="\n")
        for size, times in durations.items():
            ratio = median(times) / median(durations[options.sizes[0]])
            spread = f"{min(times) * 1000:.1f} to {max(times) * 1000:.1f}"
            print(_row(f"{size:,}", f"{due[size]:,}", f"{median(times) * 1000:.1f}", f"{ratio:.2f}", spread))
        print(line)
        Router.alias = names[options.sizes[-1]]
        query = PendingPoll.objects.using(Router.alias).due(timezone.now())[:BATCH]
        print(f"\nQuery plan with {options.sizes[-1]:,} messages:\n\n{query.explain(analyze=True, buffers=True)}")


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
