"""Create the paths of the callback view and of the webhook, which are the same in every process."""

from __future__ import annotations

from django.conf import settings
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils import translation


def webhook_path() -> str:
    """Return the path of the webhook for the Omnichannel API. It has no token; only the signature protects it."""
    return view_path("webhook")


def view_path(name: str, **kwargs: str) -> str:
    """Return the path of a view. It is the same in every process and does not depend on the current request.

    Otherwise three things change the path, and Messente calls a URL that is not served: the prefix ``SCRIPT_NAME``,
    which a background task does not have; the active language, which ``i18n_patterns`` adds to URLs; and
    ``request.urlconf``, which may not include this app. Only ``CALLBACK_BASE_URL`` sets the part before the path.

    Args:
        name: the name of the view in this app's URLs.
        kwargs: the variable parts of the path.
    """
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        with translation.override(_project_language()):
            return reverse(f"django_messente_dlr:{name}", urlconf=settings.ROOT_URLCONF, kwargs=kwargs)
    finally:
        set_script_prefix(prefix)


def _project_language() -> str:
    """Return LANGUAGE_CODE in the form that LocaleMiddleware reads from a path, such as "en" for "en-us"."""
    try:
        return translation.get_supported_language_variant(settings.LANGUAGE_CODE)
    except LookupError:  # it is not in LANGUAGES, which Django's system checks report
        return settings.LANGUAGE_CODE
