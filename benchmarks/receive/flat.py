"""Check that the receiving path is as fast in a large table as in a small one: ``python -m benchmarks.receive.flat``.

The benchmark uses PostgreSQL and sync workers, without receivers. Each table size has its own database and server.
All but the newest messages are delivered, each with its report. The sizes take turns in each round. A ratio is the
rate of a size divided by the rate of the second size in the same round.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.receive import databases, servers
from benchmarks.receive.handlers import HANDLERS
from benchmarks.receive.series import OUR_TABLE, Messages, Plan, drive, empty_database

SIZES = (1_000, 100_000, 10_000_000)
NEWEST = 50_000  # the highest number of messages that are not delivered yet
CONNECTIONS = 8
PENDING = "django_messente_dlr_pendingpoll"
REPORTS = "django_messente_dlr_deliveryreport"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receive.flat", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=400, help="requests per turn")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        return _serve_size(arguments.size)
    command = [sys.executable, "-m", "benchmarks.receive.flat", "--size"]
    with _processes([[*command, str(size)] for size in arguments.sizes]) as processes:
        rates: dict[int, list[float]] = {size: [] for size in arguments.sizes}
        pairs = list(zip(arguments.sizes, processes, strict=True))
        for number in range(-1, arguments.rounds):  # the first round is not counted: it fills caches
            random.shuffle(pairs)
            for size, process in pairs:
                rate = float(_request_rate(process, str(arguments.requests)))
                if number >= 0:
                    rates[size].append(rate)
    print("messages      requests/s   ratio   range")
    for size, size_rates in rates.items():
        ratios = [rate / other for rate, other in zip(size_rates, rates[arguments.sizes[1]], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{size:<12,}  {median(size_rates):<11.0f}  {median(ratios):.2f}    {spread}")
    return None


@contextmanager
def _processes(commands: list[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Run a process for each size: the database of a process cannot change after Django is set up."""
    processes: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            print(f"Writing {command[-1]} messages: {_read_line(processes[-1])}", file=sys.stderr)
        yield processes
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=120)


def _request_rate(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return _read_line(process)


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        raise RuntimeError("The process of a size ended early; its error is printed above.")
    return line.strip()


def _serve_size(size: int) -> None:
    """Create the tables of one size and their server; for each number read from stdin, send that many requests.

    Prints the rate in requests per second after each turn.
    """
    plan = Plan("postgres", "sync", ["ours"], 0, 0, CONNECTIONS, size, f"flat_{size}_")
    with empty_database(plan), servers.server(plan.shape, receivers=False) as port:
        messages = _fill(size)
        print("done", flush=True)
        for line in sys.stdin:
            numbers = messages.take(int(line), ours=True)
            if numbers is None:
                messages = _fill(size)
                numbers = messages.take(int(line), ours=True)
            if numbers is None:
                raise RuntimeError("A turn has more requests than there are messages.")
            result: dict[str, Any] = drive([HANDLERS["ours"].request(n) for n in numbers], port, CONNECTIONS)
            delivered = databases.count_delivered(OUR_TABLE, min(numbers), max(numbers))
            if set(result["statuses"]) != {"200"} or delivered != len(numbers):
                raise RuntimeError(f"{delivered} of {len(numbers)} reports were written: {result['statuses']}")
            print(len(numbers) / result["elapsed"], flush=True)


def _fill(size: int) -> Messages:
    """Write all messages and the reports of the delivered ones; return the messages that are not delivered."""
    from django.db import connection

    delivered = size - min(size // 2, NEWEST)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {OUR_TABLE}, {PENDING}, {REPORTS} RESTART IDENTITY")
        for table, first, last in ((OUR_TABLE, 1, size), (REPORTS, 1, delivered), (PENDING, delivered + 1, size)):
            cursor.execute(databases.insert("postgres", table, first, last, reported=delivered))
        cursor.execute("VACUUM ANALYZE")
        # Otherwise the writes of the filled tables slow the measured reports.
        cursor.execute("CHECKPOINT")
    connection.close()
    return Messages(delivered + 1, size)


if __name__ == "__main__":
    main()
