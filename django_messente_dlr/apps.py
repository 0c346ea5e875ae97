"""Configure the app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessenteDlrConfig(AppConfig):
    """Configuration of ``django_messente_dlr`` in INSTALLED_APPS."""

    name = "django_messente_dlr"
    verbose_name = _("Messente delivery reports")
    # Fixed here, because with another DEFAULT_AUTO_FIELD `makemigrations` would create a migration in this package.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_messente_dlr import checks  # noqa: F401, PLC0415 - registers the checks; needs loaded apps
        from django_messente_dlr.sending import resend_policy  # noqa: PLC0415

        resend_policy.register()
