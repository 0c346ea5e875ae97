"""Check the project's INSTALLED_APPS if the project includes the URLs of the REST API."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import NoReverseMatch

from django_messente_dlr.callbacks import paths

APP = "django_messente_dlr"
API_URLS = "django_messente_dlr.api.urls"
REQUIRED_APPS = ("rest_framework", "django_filters")


@register(Tags.urls)
def check_rest_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the apps that the REST API needs are installed. Their templates show the API in a browser."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    with suppress(NoReverseMatch):  # E003 reports it
        paths.webhook_path()  # imports the project's URLs
    # A project can include the API's URLs at any depth. Django documents no way to list them, but include() imports
    # their module.
    missing = [name for name in REQUIRED_APPS if API_URLS in sys.modules and not apps.is_installed(name)]
    return [
        Error(
            f"The REST API needs '{name}' in INSTALLED_APPS.",
            hint='Add "rest_framework" and "django_filters" to INSTALLED_APPS, or do not include '
            "django_messente_dlr.api.urls.",
            id=f"{APP}.E010",
        )
        for name in missing
    ]
