"""Ways to send a message, as `django.core.mail` has: Messente, the console, or a list in memory."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_messente_dlr import conf
from django_messente_dlr.backends.base import BaseBackend
from django_messente_dlr.conf.caching import cached_until_changed

__all__ = ["get_backend"]


@cached_until_changed
def get_backend() -> BaseBackend:
    """Return the backend of the setting ``BACKEND``. Each process creates it once.

    Raises:
        ImproperlyConfigured: the class cannot be imported, or is not a `BaseBackend`.
    """
    path = conf.get_config().backend
    try:
        backend_class = import_string(path)
    except ImportError as exc:
        raise ImproperlyConfigured(
            f"{conf.SETTING}: BACKEND '{path}' cannot be imported: {exc}. Correct the path."
        ) from exc
    if not (isinstance(backend_class, type) and issubclass(backend_class, BaseBackend)):
        raise ImproperlyConfigured(
            f"{conf.SETTING}: BACKEND '{path}' is not a subclass of django_messente_dlr.backends.base.BaseBackend. "
            "Derive the class from it."
        )
    return backend_class()
