"""Measure the memory of a process that receives callbacks: ``python -m benchmarks.memory [--callbacks 1000000]``.

One process calls the WSGI application of ``benchmarks.receive`` on a database created for this run. Every callback
reports on a different message. The resident memory is printed ten times: it should not grow after the first tenth.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
from pathlib import Path
from typing import Any

from benchmarks.receive.__main__ import DATABASES
from benchmarks.receive.databases import REPORTED
from benchmarks.receive.series import Plan, database


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--callbacks", type=int, default=100_000)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    arguments = parser.parse_args()
    with database(Plan(arguments.database, "", ["ours"], 0, 0, 0, arguments.callbacks, "memory_")):
        receive_callbacks(arguments.callbacks)


def receive_callbacks(count: int) -> None:
    """Call the application ``count`` times, and print the resident memory after each tenth."""
    from benchmarks.receive.handlers import HANDLERS
    from benchmarks.receive.wsgi import application

    statuses: list[str] = []
    for number in range(1, count + 1):
        environ = build_environ(HANDLERS["ours"].request(REPORTED + number))
        response = application(environ, lambda status, headers, exc_info=None: statuses.append(status))
        b"".join(response)
        response.close()
        if statuses.pop() != "200 OK":
            raise RuntimeError("The response status is not 200.")
        if number % (count // 10) == 0:
            gc.collect()
            print(f"{number:>9,} callbacks: {resident_memory():.1f} MiB", flush=True)


def build_environ(request: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a GET request given as bytes."""
    target = request.split(b" ", 2)[1].decode()
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }


def resident_memory() -> float:
    """Return this process's resident memory in MiB (Linux only)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
