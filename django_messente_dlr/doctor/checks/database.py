"""Can the database hold what comes? It answers, its tables are there, and it can do what the poller likes best."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import Error, connections, router
from django.db.migrations.executor import MigrationExecutor

from django_messente_dlr.doctor.findings import Finding, error, ok
from django_messente_dlr.models import DeliveryReport

TOPIC = "database"
APP = "django_messente_dlr"


def check_database() -> Iterator[Finding]:
    """Yield findings about the database that reports are written to."""
    connection = connections[router.db_for_write(DeliveryReport)]
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan([key for key in executor.loader.graph.leaf_nodes() if key[0] == APP])
    except Error as exc:
        advice = (
            "Look whether its server is up and lets this machine in. Until it does, reports are answered 503, and "
            "Messente brings them again."
        )
        yield error(TOPIC, f"It cannot be used ({type(exc).__name__}).", advice)
        return
    if missing:
        names = ", ".join(migration.name for migration, _ in missing)
        yield error(TOPIC, f"Migrations are missing: {names}.", f"Run: python manage.py migrate {APP}")
        return
    how = "SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else "compare and swap"
    yield ok(TOPIC, f"It is {connection.display_name}, its tables are up to date, and pollers claim by {how}.")
