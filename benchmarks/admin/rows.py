"""The rows that the measured pages show, written by SQL: a million messages take about a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from django_messente_dlr.maintenance import statistics

DAYS = 30
_current_alias = "default"

# The messages are spread over a month, like those of a shop: nearly all are delivered within a minute, with two
# accounts and five countries. At both sizes, each uncommon status has a hundred messages. These are the oldest,
# because a query that scans from the newest row reads the whole table before it reaches them.
MESSAGES = """
INSERT INTO django_messente_dlr_smsmessage
    (sms_unique_id, omnimessage_id, account, recipient, sender, text, channel, status, rank, stat, err, error_text,
     metadata, created_at, sent_at, finalised_at, poll_count, may_lack_poll)
SELECT 'id-' || n, '', CASE WHEN n %% 5 = 0 THEN 'marketing' ELSE 'default' END,
    (ARRAY['+372', '+371', '+370', '+358', '+46'])[1 + n %% 5] || (50000000 + n)::text, 'Shop', '', 'sms',
    s.status, s.rank, s.stat, s.err, '', '{"order": 17}',
    s.at, s.at, CASE WHEN s.rank > 20 THEN s.at + (1 + n %% 60) * interval '1 second' END,
    0, false
FROM generate_series(1, %(size)s) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n > %(size)s - 100 THEN now() - interval '30 seconds' * (%(size)s - n)
        ELSE now() - interval '1 day' * %(days)s * (%(size)s - n) / %(size)s END AS at, v.*
    FROM (VALUES
        (0, 'rejected', 40, 'REJECTD', 7), (1, 'failed', 30, 'UNDELIV', 1), (2, 'unresolved', 20, '', NULL),
        (3, 'sent', 10, '', NULL), (4, 'delivered', 50, 'DELIVRD', NULL)
    ) AS v(number, status, rank, stat, err)
    WHERE v.number = CASE WHEN n <= 100 THEN 0 WHEN n <= 200 THEN 1 WHEN n <= 300 THEN 2
        WHEN n > %(size)s - 20 THEN 3 ELSE 4 END
) AS s
"""
PENDING = """
INSERT INTO django_messente_dlr_pendingpoll (message_id, account, due_at)
SELECT id, account, now() + interval '1 hour' FROM django_messente_dlr_smsmessage WHERE rank < 20
"""
REPORTS = """
INSERT INTO django_messente_dlr_deliveryreport
    (message_id, sms_unique_id, omnimessage_id, account, source, stat, status, err, received_at, payload, fingerprint,
     url_key, signature_key, times_received, outcome, previous, signals, dispatched_at, dispatch_error)
SELECT CASE WHEN id <= 100 THEN NULL ELSE id END, sms_unique_id, '', account, 'callback', stat, status, err,
    finalised_at, '{"stat": "DELIVRD"}', md5(id::text), '', '', 1,
    CASE WHEN id <= 100 THEN 'orphan' ELSE 'advanced' END, 'sent', '["dlr_received"]', finalised_at, ''
FROM django_messente_dlr_smsmessage WHERE finalised_at IS NOT NULL
"""


class Router:
    """Send every query to the database that `using` selects."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _current_alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return _current_alias

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True


@contextmanager
def using(alias: str) -> Iterator[None]:
    """Send every query to one of the databases for the duration of the context."""
    global _current_alias  # noqa: PLW0603 - one thread, one measurement
    previous, _current_alias = _current_alias, alias
    try:
        yield
    finally:
        _current_alias = previous


@contextmanager
def databases(aliases: list[str]) -> Iterator[None]:
    """Create the databases and their tables, and drop them at the end."""
    names = [connections[alias].settings_dict["NAME"] for alias in aliases]
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        for alias in aliases:
            with using(alias):
                call_command("migrate", database=alias, verbosity=0)
        yield
    finally:
        connections.close_all()
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')


def fill(alias: str, size: int) -> None:
    """Insert ``size`` messages and their reports, and update the statistics."""
    with using(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute(MESSAGES, {"size": size, "days": DAYS})
            cursor.execute(PENDING)
            cursor.execute(REPORTS)
            cursor.execute("ANALYZE")
        # In production the sweep updates the statistics every minute; here there is a month of messages to count.
        while statistics.update_statistics(timezone.now()):
            pass


def superuser() -> User:
    """Create the user that requests the pages."""
    return User.objects.create_superuser("bench")


def middle(alias: str, size: int) -> int:
    """Return the primary key of a message in the middle of the table."""
    return size // 2
