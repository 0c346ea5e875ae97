"""Poll messages from a server that answers after 100 ms, and compare with a loop of ``requests.get``.

The results are written to PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.poll.database import databases, fill, setup
from benchmarks.receive.table import machine

DELAY = 0.1
WIDTHS = (22, 9, 12, 9, 16, 13)
HEAD = ("method", "messages", "messages/s", "of ideal", "CPU/message (ms)", "memory (MiB)")


@contextmanager
def stub_server(*, tls: bool, drip: bool = False) -> Iterator[dict[str, str]]:
    """Run the stub server; yield the environment variables that a measured run needs to reach it."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        if tls:
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=bench"]
            names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
            subprocess.run([*command, *names], check=True, capture_output=True)
        arguments = [str(DELAY)]
        if tls:
            arguments += ["--tls", str(certificate), str(key)]
        if drip:
            arguments.append("--drip")
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.poll.stub_server", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with server:
            assert server.stdin
            assert server.stdout
            yield {
                "BENCH_URL": server.stdout.readline().strip(),
                "REQUESTS_CA_BUNDLE": str(certificate) if tls else "",
            }
            server.stdin.close()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll throughput", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--loop-messages", type=int, default=100, help="messages of the loop (100 ms each)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--scheme", nargs="+", choices=["http", "https"], default=["http", "https"])
    parser.add_argument("--prefix", default="bench_", help="prefix of the name of the new database")
    options = parser.parse_args(argv)
    name = f"{options.prefix}throughput"
    setup([name])
    print(f"{machine()}, PostgreSQL; responses after {DELAY * 1000:.0f} ms; medians of {options.rounds} rounds")
    runs = [("loop", options.loop_messages, 1)]
    runs += [(method, options.messages, n) for n in options.concurrency for method in ("sessions", "ours")]
    with databases([name]):
        for scheme in options.scheme:
            results: dict[tuple[str, int, int], list[dict[str, float]]] = {run: [] for run in runs}
            with stub_server(tls=scheme == "https") as environment:
                for _ in range(options.rounds):
                    for method, messages, concurrency in runs:
                        fill(name, count=messages, due=messages)
                        run_options = [method, str(messages), str(concurrency), name]
                        process = subprocess.run(
                            [sys.executable, "-m", "benchmarks.poll.run", *run_options],
                            check=True,
                            stdout=subprocess.PIPE,
                            env={**os.environ, **environment},
                        )
                        results[method, messages, concurrency].append(json.loads(process.stdout))
            print(f"\n{scheme}:\n\n{table(results)}", flush=True)


def table(results: dict[tuple[str, int, int], list[dict[str, float]]]) -> str:
    """Return the medians of all runs as a table in reStructuredText."""
    line = "  ".join("=" * width for width in WIDTHS)
    rows = [line, _row(*HEAD), line]
    for (method, messages, concurrency), runs in results.items():
        seconds = median(run["seconds"] for run in runs)
        ideal = messages * DELAY / concurrency
        rows.append(
            _row(
                "loop of requests.get" if method == "loop" else f"{method}, {concurrency} threads",
                str(messages),
                f"{messages / seconds:.0f}",
                f"{seconds / ideal:.2f}",
                f"{median(run['cpu'] for run in runs) / messages * 1000:.2f}",
                f"{median(run['memory'] for run in runs):.0f}",
            )
        )
    return "\n".join([*rows, line])


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
