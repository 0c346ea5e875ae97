"""A read-only REST API on Django REST framework: messages and their delivery reports, for other programs.

The extra ``django-messente-dlr[api]`` installs its requirements.
"""

from __future__ import annotations

try:
    import django_filters  # noqa: F401
    import rest_framework  # noqa: F401
except ModuleNotFoundError as exc:
    raise ImportError(
        "django_messente_dlr.api needs Django REST framework and django-filter. "
        'Run: pip install "django-messente-dlr[api]"'
    ) from exc
