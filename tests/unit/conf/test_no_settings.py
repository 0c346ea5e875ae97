"""The tests run on the database that is meant."""

from __future__ import annotations

import os

import pytest
from django.db import connection

VENDORS = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite"}


@pytest.mark.django_db
def test_the_tests_run_on_the_database_that_database_url_names() -> None:
    scheme = os.environ.get("DATABASE_URL", "sqlite://").partition(":")[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.vendor == VENDORS[scheme]
