"""Measure callbacks while the row of their account is locked: ``python -m benchmarks.locked_account``.

``DATABASE_URL`` selects the database, PostgreSQL or MariaDB. gunicorn serves the test project. A transaction calls
`track_sms`, or locks the row of the account, and is left open for some seconds. Meanwhile callbacks arrive at once:
deliveries, or err 4, which starts a credit hold. The benchmark counts the callbacks that are answered while the
transaction is open. It creates a test database, and drops it at the end.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import django

from tests.integration.processes.web import PATH, Web

sys.path += map(str, PATH)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 - needs the settings

from django_messente_dlr.callbacks import message_callback_url  # noqa: E402
from django_messente_dlr.models import Account, SmsMessage  # noqa: E402
from django_messente_dlr.sending import track_sms  # noqa: E402
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory  # noqa: E402
from tests.integration.processes.databases import url_of  # noqa: E402

Answer = tuple[int, float]
LOCKS: dict[str, Callable[[], object]] = {
    "track_sms": lambda: track_sms(omnimessage_id=f"an-omnimessage-{time.monotonic_ns()}"),
    "row of the account": lambda: Account.objects.select_for_update().get(),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locked_account", description=__doc__)
    parser.add_argument("--callbacks", type=int, default=12, help="callbacks of each kind")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the transaction is open")
    options = parser.parse_args()
    if connection.vendor == "sqlite":
        parser.error("SQLite locks no rows: set DATABASE_URL")
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        url = url_of(connection.settings_dict, connection.vendor)
        for (name, lock), query in itertools.product(LOCKS.items(), ("stat=DELIVRD", "stat=REJECTD&err=4")):
            AccountFactory.create(credits_exhausted_at=None, credits_restored_at=None)
            messages = SmsMessageFactory.create_batch(options.callbacks)
            # New processes, which have recorded no callback in the last minute.
            with tempfile.TemporaryDirectory() as folder, Web(Path(folder), url, workers=2) as web:
                urls = [callback_url(web, message, query) for message in messages]
                answers = call_back_while(lock, urls, seconds=options.seconds)
            print(f"{name}, {query}: {summary(answers, seconds=options.seconds)}")
        connection.close()
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def callback_url(web: Web, message: SmsMessage, query: str) -> str:
    """Return the callback URL of a message at the server, with a query string."""
    path = urlsplit(message_callback_url(message.pk, message.account)).path
    return f"{web.url}{path}?sms_unique_id={message.sms_unique_id}&{query}"


def call_back_while(lock: Callable[[], object], urls: list[str], *, seconds: float) -> list[Answer]:
    """Request all URLs while a transaction is open; return the status of each answer, and after how many seconds.

    Args:
        lock: locks a row in the transaction.
        urls: the callback URLs, which are requested at the same time.
        seconds: how long the transaction is open.
    """
    with ThreadPoolExecutor(len(urls)) as pool:
        with transaction.atomic():
            lock()
            futures = [pool.submit(call_back, url) for url in urls]
            time.sleep(seconds)
        return [future.result() for future in futures]


def call_back(url: str) -> Answer:
    started = time.monotonic()
    try:
        with urlopen(url, timeout=60) as response:
            status: int = response.status
    except HTTPError as exc:
        status = exc.code
    return status, time.monotonic() - started


def summary(answers: list[Answer], *, seconds: float) -> str:
    """Return how many callbacks were answered while the transaction was open, with which statuses."""
    statuses = Counter(status for status, duration in answers if duration < seconds)
    counts = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items())) or "none"
    longest = max(duration for _, duration in answers)
    return f"{statuses.total()} of {len(answers)} answered meanwhile ({counts}); the longest took {longest:.2f} s"


if __name__ == "__main__":
    main()
