"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessenteDlrConfig(AppConfig):
    """``django_messente_dlr`` in INSTALLED_APPS."""

    name = "django_messente_dlr"
    verbose_name = _("Messente delivery reports")
    # Fixed, so that no project's DEFAULT_AUTO_FIELD makes it want a migration of ours.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_messente_dlr import checks  # noqa: F401, PLC0415 - registers them; needs the apps to be loaded
