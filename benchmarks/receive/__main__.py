"""Compare the receiving path with seven simpler handlers, and print a table for each database and server shape."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.receive.databases import PG_OPTIONS
from benchmarks.receive.series import Plan, Turn
from benchmarks.receive.servers import SHAPES
from benchmarks.receive.table import machine, table

DATABASES = ("postgres", "mariadb", "sqlite")
DEFAULT_HANDLERS = ("a", "e", "c", "c2", "d", "g", "f", "orm", "orm, receivers", "ours", "ours, receivers")
MORE_HANDLERS = ("ours, account", "ours, POST", "ours, POST, receivers")


def main() -> None:
    arguments = _parse_arguments()
    print(f"{machine()}; {arguments.messages:,} messages; {arguments.connections} connections;")
    print(
        f"medians of {arguments.rounds} interleaved rounds of {arguments.requests} requests;"
        f" ratio to {arguments.peer} in its round"
    )
    print()
    for database in arguments.database or DATABASES:
        for shape in arguments.shape or SHAPES:
            plan = Plan(
                database=database,
                shape=shape,
                handlers=arguments.handlers or [*DEFAULT_HANDLERS, *(MORE_HANDLERS if arguments.all else ())],
                rounds=arguments.rounds,
                requests=arguments.requests,
                connections=arguments.connections,
                messages=arguments.messages,
                prefix=arguments.prefix,
                peer=arguments.peer,
                pg_options=arguments.pg_options,
            )
            title = f"{database}, {shape}"
            if database == "postgres" and arguments.pg_options:
                title += f", OPTIONS = {PG_OPTIONS}"
            print(f"{title}\n\n{table(plan, _run_series(plan))}\n", flush=True)


def _run_series(plan: Plan) -> list[Turn]:
    """Run a series in a new process, and return its turns."""
    with tempfile.NamedTemporaryFile("r") as file:
        command = [sys.executable, "-m", "benchmarks.receive.series", json.dumps(asdict(plan)), file.name]
        subprocess.run(command, check=True)
        return [Turn(**turn) for turn in json.loads(Path(file.name).read_text())]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receive", description=__doc__)
    parser.add_argument("--database", action="append", choices=DATABASES, help="may be repeated; default: all")
    parser.add_argument("--shape", action="append", choices=list(SHAPES), help="shape of the server; default: both")
    parser.add_argument("--handlers", type=lambda names: names.split(";"), help="names, separated by semicolons")
    parser.add_argument("--peer", default=Plan.peer, help="base of the ratios; must be in --handlers")
    parser.add_argument("--all", action="store_true", help="also measure account URLs and POST")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3000, help="requests per handler and round")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--messages", type=int, default=100_000, help="messages without a report in the tables")
    parser.add_argument("--pg-options", action="store_true", help=f"set PostgreSQL's OPTIONS to {PG_OPTIONS}")
    parser.add_argument("--prefix", default="bench_", help="prefix of the names of the new databases")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 500 requests; not a measurement")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.requests = 3, 500
    return arguments


if __name__ == "__main__":
    main()
