from __future__ import annotations

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """A project's app with a foreign key to a delivery report."""

    name = "tests.ledger"
    default_auto_field = "django.db.models.BigAutoField"
