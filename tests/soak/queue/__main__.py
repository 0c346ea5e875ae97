"""Run a night of the queue: ``python -m tests.soak.queue --database postgres --messages 20000 --workers 8``.

The command creates a test database, prints every count, and exits with 1 if a message was sent twice or is lost.
"""

from __future__ import annotations

import argparse
import os

from tests.soak.__main__ import database_url

WORKERS = {"postgres": 8, "mariadb": 4, "sqlite": 2}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.queue", description="Check that each queued message is sent once, or is unknown."
    )
    add = parser.add_argument
    add("--messages", type=int, default=20_000, metavar="N", help="the number of messages (default: %(default)s)")
    add("--database", choices=WORKERS, help="as for tests.soak (default: DATABASE_URL or sqlite)")
    add("--workers", type=int, metavar="W", help="the number of processes (default: 8, 4 or 2 by the database)")
    add("--rate", type=float, default=100.0, help="requests per second of one worker (default: %(default)s)")
    add("--bulk", action="store_true", help="send by the Omnichannel API in bulk requests")
    add("--kill-every", type=float, default=3.0, metavar="SECONDS", help="the time between two kills of a worker")
    add(
        "--restart-every",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="the time between two restarts of the local Messente (default: %(default)s)",
    )
    add(
        "--crash-database-every",
        type=float,
        metavar="SECONDS",
        help="kill a process of the PostgreSQL server that this command started, so that all of it restarts",
    )
    add("--lease", type=float, default=60.0, metavar="SECONDS", help="QUEUE_LEASE (default: %(default)s)")
    add("--seed", type=int, default=1, help="the seed for what is killed")
    options = vars(parser.parse_args())
    database = options.pop("database")
    if options["crash_database_every"] and (database != "postgres" or os.environ.get("DATABASE_URL")):
        parser.error("Only a PostgreSQL server that this command starts is crashed: --database postgres.")
    options["workers"] = options["workers"] or WORKERS[database or "sqlite"]
    with database_url(database) as url:
        os.environ["DATABASE_URL"] = url
        from tests.soak.queue.run import run  # after DATABASE_URL is set, because the module reads the settings

        agrees, text = run(**options)
    print(text)
    return 0 if agrees else 1


if __name__ == "__main__":
    raise SystemExit(main())
