"""One series: one database, one shape of server, all handlers in interleaved rounds.

Started by ``__main__`` as a process of its own, because Django's settings are one database's for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.receive import databases, servers
from benchmarks.receive.handlers import HANDLERS, OURS

OUR_TABLE = "django_messente_dlr_smsmessage"
THEIR_TABLE = "byhand_sms"


@dataclass
class Plan:
    """What a series does.

    Attributes:
        database: postgres, mariadb or sqlite.
        shape: sync or threads.
        handlers: their names.
        rounds: how often each has its turn.
        requests: how many requests a turn has.
        connections: how many of them are under way at a time.
        messages: how many messages without a report the tables have.
        prefix: what the database's name begins with.
        peer: the handler to which the ratios are.
        pg_options: whether PostgreSQL has `databases.PG_OPTIONS`.
    """

    database: str
    shape: str
    handlers: list[str]
    rounds: int
    requests: int
    connections: int
    messages: int
    prefix: str
    peer: str = "c"
    pg_options: bool = False


@dataclass
class Turn:
    """What one handler did in one round."""

    handler: str
    round: int
    rate: float
    p50: float
    p99: float


class Messages:
    """Hands out the numbers of messages not reported about yet, in the order of sending, a little shuffled."""

    def __init__(self, first: int, last: int) -> None:
        self.last = last
        self.next = {True: first, False: first}

    def take(self, count: int, *, ours: bool) -> list[int] | None:
        """Return the next ``count`` numbers, or None where there are not so many any more."""
        first = self.next[ours]
        if first + count > self.last + 1:
            return None
        self.next[ours] = first + count
        numbers = list(range(first, first + count))
        random.shuffle(numbers)
        return numbers


@contextlib.contextmanager
def database(plan: Plan) -> Iterator[None]:
    """Have a database of that kind, filled, for as long as the series runs."""
    with empty_database(plan):
        fill(plan)
        yield


def fill(plan: Plan) -> Messages:
    """Fill the tables; return the messages without a report."""
    databases.fill(plan.database, plan.messages, reported=databases.REPORTED)
    return Messages(databases.REPORTED + 1, databases.REPORTED + plan.messages)


@contextlib.contextmanager
def empty_database(plan: Plan) -> Iterator[None]:
    """Have a database of that kind with all tables, and Django set up with it."""
    with tempfile.TemporaryDirectory() as folder:
        name = f"{plan.prefix}receive_{os.getpid()}"
        path = f"{folder}/db.sqlite3" if plan.database == "sqlite" else name
        entry = databases.entry(plan.database, path, pg_options=plan.pg_options)
        os.environ["BENCH_DATABASE"] = json.dumps(entry)
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.receive.settings"
        import django

        django.setup()
        databases.create()
        try:
            yield
        finally:
            databases.drop()


def run(plan: Plan) -> list[Turn]:
    """Run a series; return its turns.

    Raises:
        RuntimeError: a handler did not answer 200, or what ours answered is not what it has written.
    """
    turns: list[Turn] = []
    handlers = [HANDLERS[name] for name in plan.handlers if plan.database in HANDLERS[name].databases]
    with empty_database(plan), contextlib.ExitStack() as stack:
        messages, written = fill(plan), 0
        ports = {
            switches: stack.enter_context(servers.server(plan.shape, receivers=switches[0], fast_path=switches[1]))
            for switches in sorted({(handler.receivers, handler.fast_path) for handler in handlers})
        }
        for number in range(-1, plan.rounds):
            # The first round is not counted: connections are made, code is compiled, caches fill.
            count = plan.requests if number >= 0 else max(plan.requests // 5, plan.connections * 10)
            random.shuffle(handlers)
            for handler in handlers:
                ours = handler.name in OURS
                numbers = messages.take(count, ours=ours)
                if numbers is None:
                    messages, written = fill(plan), 0
                    numbers = messages.take(count, ours=ours)
                    if numbers is None:
                        raise RuntimeError("There are fewer messages than a turn has requests.")
                port = ports[handler.receivers, handler.fast_path]
                result = drive([handler.request(sent) for sent in numbers], port, plan.connections)
                if set(result["statuses"]) != {"200"}:
                    raise RuntimeError(f"{handler.name} answered {result['statuses']}")
                written += count if ours else 0
                _check(handler.name, numbers, written, ours=ours)
                if number >= 0:
                    turns.append(_turn(handler.name, number, result))
    return turns


def _check(name: str, numbers: Sequence[int], written: int, *, ours: bool) -> None:
    """Raise RuntimeError unless what was answered 200 is in the database."""
    if name == "a":
        return
    table = OUR_TABLE if ours else THEIR_TABLE
    if (done := databases.done(table, min(numbers), max(numbers))) != len(numbers):
        raise RuntimeError(f"{name} answered 200 to {len(numbers)} deliveries and has written {done}.")
    if ours and (reports := databases.reports() - databases.REPORTED) != written:
        raise RuntimeError(f"The handlers of this package have dispatched {reports} reports of {written}.")


def drive(requests: Sequence[bytes], port: int, connections: int) -> dict[str, Any]:
    """Send requests to a server, so many at a time; return what `load` tells of it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(request + b"\0" for request in requests))
        file.flush()
        command = [sys.executable, "-m", "benchmarks.receive.load", file.name, str(port), str(connections)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _turn(handler: str, number: int, result: dict[str, Any]) -> Turn:
    latencies = sorted(result["latencies"])
    return Turn(
        handler=handler,
        round=number,
        rate=len(latencies) / result["elapsed"],
        p50=latencies[len(latencies) // 2],
        p99=latencies[int(len(latencies) * 0.99)],
    )


if __name__ == "__main__":
    told = Plan(**json.loads(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps([asdict(turn) for turn in run(told)]))
