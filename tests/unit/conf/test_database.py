"""The tests use the database that ``DATABASE_URL`` names."""

from __future__ import annotations

import os

import pytest
from django.db import connection

VENDORS = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite"}


@pytest.mark.django_db
def test_database__vendor_of_database_url() -> None:
    scheme = os.environ.get("DATABASE_URL", "sqlite://").partition(":")[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.vendor == VENDORS[scheme]
