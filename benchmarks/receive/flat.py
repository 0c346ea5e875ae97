"""Whether the receiving path is as fast in a long table as in a short one: ``python -m benchmarks.receive.flat``.

PostgreSQL and sync workers, no receivers. The tables of each size have a database and a server of their own; all but
the newest messages are delivered, each with its report. The sizes have their turns in interleaved rounds, and a ratio
is the rate by that of the second size in the same round.
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
NEWEST = 50_000  # at the most that are not delivered yet
CONNECTIONS = 8
PENDING = "django_messente_dlr_pendingpoll"
REPORTS = "django_messente_dlr_deliveryreport"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receive.flat", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=400, help="a turn")
    parser.add_argument("--keep", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keep:
        return _keep(arguments.keep)
    command = [sys.executable, "-m", "benchmarks.receive.flat", "--keep"]
    with _keepers([[*command, str(size)] for size in arguments.sizes]) as keepers:
        rates: dict[int, list[float]] = {size: [] for size in arguments.sizes}
        pairs = list(zip(arguments.sizes, keepers, strict=True))
        for number in range(-1, arguments.rounds):  # the first is not counted
            random.shuffle(pairs)
            for size, keeper in pairs:
                rate = float(_ask(keeper, str(arguments.requests)))
                if number >= 0:
                    rates[size].append(rate)
    print("messages      requests/s   ratio   range")
    for size, own in rates.items():
        ratios = [rate / other for rate, other in zip(own, rates[arguments.sizes[1]], strict=True)]
        print(f"{size:<12,}  {median(own):<11.0f}  {median(ratios):.2f}    {min(ratios):.2f} to {max(ratios):.2f}")
    return None


@contextmanager
def _keepers(commands: list[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Run a process for each size: Django's settings are one database's for ever."""
    keepers: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            keepers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            print(f"{command[-1]} messages are being written: {_answer(keepers[-1])}", file=sys.stderr)
        yield keepers
    finally:
        for keeper in keepers:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(timeout=120)


def _ask(keeper: subprocess.Popen[str], line: str) -> str:
    assert keeper.stdin is not None
    keeper.stdin.write(f"{line}\n")
    keeper.stdin.flush()
    return _answer(keeper)


def _answer(keeper: subprocess.Popen[str]) -> str:
    assert keeper.stdout is not None
    if not (answer := keeper.stdout.readline()):
        raise RuntimeError("A size has ended before its time; what is printed above says why.")
    return answer.strip()


def _keep(size: int) -> None:
    """Have the tables of one size and their server; answer every number of requests with the rate of so many."""
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
                raise RuntimeError("There are fewer messages than a turn has requests.")
            result: dict[str, Any] = drive([HANDLERS["ours"].request(n) for n in numbers], port, CONNECTIONS)
            done = databases.done(OUR_TABLE, min(numbers), max(numbers))
            if set(result["statuses"]) != {"200"} or done != len(numbers):
                raise RuntimeError(f"{done} of {len(numbers)} were written: {result['statuses']}")
            print(len(numbers) / result["elapsed"], flush=True)


def _fill(size: int) -> Messages:
    """Write all messages, and the reports of those that are delivered; return the others."""
    from django.db import connection

    old = size - min(size // 2, NEWEST)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {OUR_TABLE}, {PENDING}, {REPORTS} RESTART IDENTITY")
        for table, first, last in ((OUR_TABLE, 1, size), (REPORTS, 1, old), (PENDING, old + 1, size)):
            cursor.execute(databases.insert("postgres", table, first, last, reported=old))
        cursor.execute("VACUUM ANALYZE")
        # What filling a table has left to write to the disk is not for the reports to wait for.
        cursor.execute("CHECKPOINT")
    connection.close()
    return Messages(old + 1, size)


if __name__ == "__main__":
    main()
