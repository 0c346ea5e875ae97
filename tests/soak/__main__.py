"""Run a day of any length: ``python -m tests.soak --database postgres --api omnichannel --messages 2000``.

The command creates a test database, prints every count, and exits with 1 if one does not agree. ``tox -e soak`` runs
the command on PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
from contextlib import AbstractContextManager, nullcontext

from tests.on_database import SCHEMES, started
from tests.soak.plan import ORDERS, SHARES

IN_MEMORY = "sqlite://:memory:"
ISOLATION = ("read committed", "repeatable read", "serializable")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Check that no report is lost and none is stored twice."
    )
    add = parser.add_argument
    add("--messages", type=int, default=20_000, metavar="N", help="the number of messages, a multiple of 100")
    add("--api", choices=SHARES, default="sms", help="omnichannel sends messages of two and three channels")
    add(
        "--database",
        choices=("sqlite", "postgres", "mariadb"),
        help="use DATABASE_URL if it is such a database, otherwise start a server (default: DATABASE_URL or sqlite)",
    )
    add("--order", choices=ORDERS, default="shuffled", help="simultaneous: a message's reports at the same moment")
    add("--isolation", choices=ISOLATION, default="", help="the isolation level (default: the database's)")
    add("--kill-every", type=float, default=5.0, metavar="SECONDS", help="the time between two kills of a worker")
    add("--seed", type=int, default=1, help="the seed for the order of the messages")
    options = vars(parser.parse_args())
    database = options.pop("database")
    if options["isolation"] and database == "sqlite":
        parser.error("SQLite has one isolation level. Omit --isolation.")
    with database_url(database) as url:
        os.environ["DATABASE_URL"] = url
        from tests.soak.run import run  # after DATABASE_URL is set, because the module reads the settings

        agrees, text = run(**options)
    print(text)
    return 0 if agrees else 1


def database_url(database: str | None) -> AbstractContextManager[str]:
    """Return a context with the URL of the database; None for that of DATABASE_URL, or SQLite."""
    if database in SCHEMES:
        return started(database)
    return nullcontext(IN_MEMORY if database else os.environ.get("DATABASE_URL", IN_MEMORY))


if __name__ == "__main__":
    raise SystemExit(main())
