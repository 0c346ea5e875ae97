"""Check that national numbers can be read, if ``DEFAULT_REGION`` is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr import conf
from django_messente_dlr.utils import number_library

APP = "django_messente_dlr"


@register()
def check_numbers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that ``DEFAULT_REGION`` is a country, and that the package that reads national numbers is installed."""
    try:
        region = conf.get_config().default_region
    except ImproperlyConfigured:
        return []  # `check_settings` reports it
    if not region:
        return []
    if not number_library.is_installed():
        return [
            Error(
                f"{conf.SETTING}: DEFAULT_REGION is set, but the package phonenumbers is not installed, so every "
                "national number is refused.",
                hint=f'Run pip install "{number_library.EXTRA}", or remove DEFAULT_REGION.',
                id=f"{APP}.E030",
            )
        ]
    if not number_library.knows_region(region):
        return [
            Error(
                f"{conf.SETTING}: DEFAULT_REGION '{region}' is not a country that phonenumbers knows.",
                hint="Use its code of two letters (ISO 3166-1 alpha-2), such as EE, or GB for the United Kingdom.",
                id=f"{APP}.E031",
            )
        ]
    return []
