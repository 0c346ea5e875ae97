"""The migrations contain all models, whatever the settings of a project are."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command


@pytest.mark.django_db
@pytest.mark.parametrize("auto_field", ["django.db.models.AutoField", "django.db.models.BigAutoField"])
def test_makemigrations__finds_no_changes(auto_field: str, settings: Any) -> None:
    settings.DEFAULT_AUTO_FIELD = auto_field
    call_command("makemigrations", "django_messente_dlr", check=True, dry_run=True, verbosity=0)
    assert apps.get_app_config("django_messente_dlr").default_auto_field == "django.db.models.BigAutoField"
