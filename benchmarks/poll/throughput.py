"""Ask about messages that are answered after 100 ms and written to PostgreSQL, beside a loop of ``requests.get``."""

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
HEAD = ("how", "messages", "messages/s", "of ideal", "CPU/message (ms)", "memory (MiB)")


@contextmanager
def answering(*, tls: bool) -> Iterator[dict[str, str]]:
    """Run a Messente; yield what the environment of who asks it needs."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        if tls:
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=bench"]
            names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
            subprocess.run([*command, *names], check=True, capture_output=True)
        arguments = [str(DELAY), *([str(certificate), str(key)] if tls else [])]
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.poll.answering", *arguments],
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
    parser.add_argument("--loop-messages", type=int, default=100, help="for the loop, which takes 100 ms for each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--scheme", nargs="+", choices=["http", "https"], default=["http", "https"])
    parser.add_argument("--prefix", default="bench_", help="of the database that is made and dropped")
    options = parser.parse_args(argv)
    name = f"{options.prefix}throughput"
    setup([name])
    print(f"{machine()}, PostgreSQL; answers after {DELAY * 1000:.0f} ms; medians of {options.rounds} rounds")
    turns = [("loop", options.loop_messages, 1)]
    turns += [(how, options.messages, each) for each in options.concurrency for how in ("sessions", "ours")]
    with databases([name]):
        for scheme in options.scheme:
            told: dict[tuple[str, int, int], list[dict[str, float]]] = {turn: [] for turn in turns}
            with answering(tls=scheme == "https") as environment:
                for _ in range(options.rounds):
                    for how, messages, concurrency in turns:
                        fill(name, count=messages, due=messages)
                        command = [sys.executable, "-m", "benchmarks.poll.turn", how, str(messages), str(concurrency)]
                        done = subprocess.run(
                            [*command, name], check=True, stdout=subprocess.PIPE, env={**os.environ, **environment}
                        )
                        told[how, messages, concurrency].append(json.loads(done.stdout))
            print(f"\n{scheme}:\n\n{table(told)}", flush=True)


def table(told: dict[tuple[str, int, int], list[dict[str, float]]]) -> str:
    line = "  ".join("=" * width for width in WIDTHS)
    rows = [line, _row(*HEAD), line]
    for (how, messages, concurrency), turns in told.items():
        seconds = median(turn["seconds"] for turn in turns)
        ideal = messages * DELAY / concurrency
        rows.append(
            _row(
                "loop of requests.get" if how == "loop" else f"{how}, {concurrency} threads",
                str(messages),
                f"{messages / seconds:.0f}",
                f"{seconds / ideal:.2f}",
                f"{median(turn['cpu'] for turn in turns) / messages * 1000:.2f}",
                f"{median(turn['memory'] for turn in turns):.0f}",
            )
        )
    return "\n".join([*rows, line])


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
