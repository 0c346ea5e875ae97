"""Check that the database answers, has the tables of the current migrations, and how pollers claim rows in it."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Info
from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

from django_messente_dlr.models import DeliveryReport

TOPIC = "database"
APP = "django_messente_dlr"
MIGRATE = f"python manage.py migrate {APP}"


def missing_migrations() -> list[str]:
    """Return the names of this app's migrations that were not applied.

    Raises:
        DatabaseError: the database cannot be used.
    """
    executor = MigrationExecutor(connections[router.db_for_write(DeliveryReport)])
    plan = executor.migration_plan([key for key in executor.loader.graph.leaf_nodes() if key[0] == APP])
    return [migration.name for migration, _is_backwards in plan]


def check_database() -> Iterator[CheckMessage]:
    """Yield findings about the database that stores the delivery reports."""
    connection = connections[router.db_for_write(DeliveryReport)]
    try:
        missing = missing_migrations()
    except DatabaseError as exc:
        # The exception's text may contain hosts and users, so only its class is shown.
        yield Error(
            f"The database cannot be used ({type(exc).__name__}).",
            hint="Check that the database server runs and admits this machine. Until then the callback view answers "
            "503, and Messente sends the reports again.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D031",
        )
        return
    if missing:
        yield Error(
            f"Migrations are missing: {', '.join(missing)}.",
            hint=f"Run: {MIGRATE}",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D032",
        )
        return
    method = "SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else "compare and swap"
    yield Info(
        f"{connection.display_name} has all tables of the app. Pollers claim rows by {method}.",
        obj=TOPIC,
        id="django_messente_dlr.doctor.D033",
    )
