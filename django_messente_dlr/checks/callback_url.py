"""Check ``CALLBACK_BASE_URL`` and the callback view's URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from django_messente_dlr import conf
from django_messente_dlr.callbacks import paths

APP = "django_messente_dlr"


@register(Tags.urls)
def check_callback_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the app can build a callback URL for Messente."""
    try:
        base_url = conf.get_config().callback_base_url
        if not base_url:
            return [
                Warning(
                    f"{conf.SETTING} has no CALLBACK_BASE_URL, so Messente sends no callbacks.",
                    hint='Set it to the scheme and host of this site, such as "https://shop.example.com". Without '
                    "it only poll_dlrs collects reports.",
                    id=f"{APP}.W002",
                )
            ]
        path = paths.webhook_path()
    except NoReverseMatch:
        return [
            Error(
                "The callback view has no URL.",
                hint='Add path("messente/", include("django_messente_dlr.urls")) to the project\'s urlpatterns, not '
                "within another include that has a namespace.",
                id=f"{APP}.E003",
            )
        ]
    except ImproperlyConfigured:
        return []  # E001 reports it
    parts = split_base_url(base_url)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        return [
            Error(
                "CALLBACK_BASE_URL is not the scheme and host of a site, so Messente cannot request it.",
                hint='Write it like "https://shop.example.com": no user name, no query string, and no path other '
                "than a prefix that the whole project is served under.",
                id=f"{APP}.E007",
            )
        ]
    return list(_check_prefix(parts.path.rstrip("/"), path))


def _check_prefix(prefix: str, path: str) -> Iterator[CheckMessage]:
    """Check the path of the base URL: it is the project's prefix, and repeats no part of the callback view's path.

    Args:
        prefix: the path of ``CALLBACK_BASE_URL`` without the last slash.
        path: the path of the webhook in the project's urlpatterns.
    """
    script_name = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    include_path = path.rpartition("/dlr/")[0]
    if script_name and not prefix.endswith(script_name):
        yield Warning(
            f"FORCE_SCRIPT_NAME states that this project is served under {script_name}, but CALLBACK_BASE_URL does "
            "not end in it, so Messente would request another URL.",
            hint=f"Write {script_name} after the host, unless a proxy serves the callback elsewhere.",
            id=f"{APP}.W012",
        )
    elif include_path and prefix.endswith(include_path):
        yield Warning(
            f"CALLBACK_BASE_URL ends in {include_path}, the path that includes the app's URLs, so Messente would "
            f"request {prefix}{path}.",
            hint=f"Remove {include_path} from it, unless the whole project is served under that prefix, too.",
            id=f"{APP}.W012",
        )


def split_base_url(base_url: str) -> SplitResult | None:
    """Return the parts of a base URL; None if it is not http or https with a host."""
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and base_url.isprintable() and " " not in base_url else None
