"""Use new database connections for each run of a command that runs for a long time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from django_messente_dlr.management.database_errors import describe_database_error

logger = logging.getLogger(__name__)


def run_on_new_connections(work: Callable[[], object]) -> None:
    """Call a function, and log an error of the database."""
    close_old_connections()  # as Django does between requests: CONN_MAX_AGE applies
    try:
        work()
    except DatabaseError as exc:
        logger.warning("%s; the next run tries again", describe_database_error(exc))
        connections.close_all()
    close_old_connections()
