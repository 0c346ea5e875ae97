"""One series: one database, one shape of server, all handlers in interleaved rounds.

``__main__`` starts a new process for each series, because the database of a process cannot change after Django is set
up.
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
    """The options of a series.

    Attributes:
        database: postgres, mariadb or sqlite.
        shape: sync or threads.
        handlers: the names of the handlers.
        rounds: the number of turns of each handler.
        requests: the number of requests of a turn.
        connections: the number of connections, each with one request at a time.
        messages: the number of messages without a report in the tables.
        prefix: the prefix of the database's name.
        peer: the handler that the ratios refer to.
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
    """The measurements of one handler in one round: requests per second, and latencies in seconds."""

    handler: str
    round: int
    rate: float
    p50: float
    p99: float


class Messages:
    """Hand out the numbers of messages without a report: oldest first, shuffled within a turn."""

    def __init__(self, first: int, last: int) -> None:
        self.last = last
        self.next = {True: first, False: first}

    def take(self, count: int, *, ours: bool) -> list[int] | None:
        """Return the next ``count`` numbers, or None if fewer are left."""
        first = self.next[ours]
        if first + count > self.last + 1:
            return None
        self.next[ours] = first + count
        numbers = list(range(first, first + count))
        random.shuffle(numbers)
        return numbers


@contextlib.contextmanager
def database(plan: Plan) -> Iterator[None]:
    """Create a filled database for the plan, and drop it at the end."""
    with empty_database(plan):
        fill(plan)
        yield


def fill(plan: Plan) -> Messages:
    """Fill the tables, and return the messages without a report."""
    databases.fill(plan.database, plan.messages, reported=databases.REPORTED)
    return Messages(databases.REPORTED + 1, databases.REPORTED + plan.messages)


@contextlib.contextmanager
def empty_database(plan: Plan) -> Iterator[None]:
    """Create a database with empty tables and set up Django with it; drop the database at the end."""
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
            # The first round is not counted: it opens connections, compiles code and fills caches.
            count = plan.requests if number >= 0 else max(plan.requests // 5, plan.connections * 10)
            random.shuffle(handlers)
            for handler in handlers:
                ours = handler.name in OURS
                numbers = messages.take(count, ours=ours)
                if numbers is None:
                    messages, written = fill(plan), 0
                    numbers = messages.take(count, ours=ours)
                    if numbers is None:
                        raise RuntimeError("A turn has more requests than there are messages.")
                port = ports[handler.receivers, handler.fast_path]
                result = drive([handler.request(sent) for sent in numbers], port, plan.connections)
                if set(result["statuses"]) != {"200"}:
                    raise RuntimeError(f"{handler.name} answered {result['statuses']}")
                written += count if ours else 0
                _check_written(handler.name, numbers, written, ours=ours)
                if number >= 0:
                    turns.append(_turn(handler.name, number, result))
    return turns


def _check_written(name: str, numbers: Sequence[int], written: int, *, ours: bool) -> None:
    """Raise RuntimeError unless every report with a response of 200 is in the database."""
    if name == "a":
        return
    table = OUR_TABLE if ours else THEIR_TABLE
    if (delivered := databases.count_delivered(table, min(numbers), max(numbers))) != len(numbers):
        raise RuntimeError(f"{name} answered 200 to {len(numbers)} reports and wrote {delivered}.")
    if ours and (reports := databases.count_reports() - databases.REPORTED) != written:
        raise RuntimeError(f"The handlers of this package dispatched {reports} of {written} reports.")


def drive(requests: Sequence[bytes], port: int, connections: int) -> dict[str, Any]:
    """Send requests to a server over ``connections`` connections; return the result of `load.load`."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(request + b"\0" for request in requests))
        file.flush()
        command = [sys.executable, "-m", "benchmarks.receive.load", file.name, str(port), str(connections)]
        process = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
    result: dict[str, Any] = json.loads(process.stdout)
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
    plan = Plan(**json.loads(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps([asdict(turn) for turn in run(plan)]))
