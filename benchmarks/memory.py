"""Memory of a process that takes many callbacks: ``python -m benchmarks.memory [--callbacks 1000000]``.

One process, the WSGI application of ``benchmarks.receive`` and a database of its own; every callback is about another
message. The resident memory is told ten times on the way: after the first tenth it should not grow any more.
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
        take(arguments.callbacks)


def take(count: int) -> None:
    from benchmarks.receive.handlers import HANDLERS
    from benchmarks.receive.wsgi import application

    said: list[str] = []
    for number in range(1, count + 1):
        environ = environ_of(HANDLERS["ours"].request(REPORTED + number))
        response = application(environ, lambda status, headers, exc_info=None: said.append(status))
        b"".join(response)
        response.close()
        if said.pop() != "200 OK":
            raise RuntimeError("It was not answered 200.")
        if number % (count // 10) == 0:
            gc.collect()
            print(f"{number:>9,} callbacks: {resident():.1f} MiB", flush=True)


def environ_of(request: bytes) -> dict[str, Any]:
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


def resident() -> float:
    """Return this process's resident memory in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
