"""Can Messente be told where to report? ``CALLBACK_BASE_URL`` and the project's URLs."""

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
from django_messente_dlr.callbacks import tokens

OF = "django_messente_dlr"


@register(Tags.urls)
def check_callback_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that Messente can be told where to report."""
    try:
        base = conf.get_config().callback_base_url
        if not base:
            return [
                Warning(
                    f"{conf.SETTING} has no CALLBACK_BASE_URL, so Messente is not told where to report to.",
                    hint='Set it to the scheme and host of this site, such as "https://shop.example.com". Without '
                    "it reports are only learnt by poll_dlrs.",
                    id=f"{OF}.W002",
                )
            ]
        path = tokens.webhook_path()
    except NoReverseMatch:
        return [
            Error(
                "The callback view has no URL.",
                hint='Add path("messente/", include("django_messente_dlr.urls")) to the project\'s urlpatterns, not '
                "within another include that has a namespace.",
                id=f"{OF}.E003",
            )
        ]
    except ImproperlyConfigured:
        return []  # E001 tells
    parts = split(base)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        return [
            Error(
                "CALLBACK_BASE_URL is not the scheme and host of a site, so that Messente cannot call.",
                hint='Write it like "https://shop.example.com": no user name, no query string, and no path but a '
                "prefix under which all of this project is served.",
                id=f"{OF}.E007",
            )
        ]
    return list(_check_prefix(parts.path.rstrip("/"), path))


def _check_prefix(prefix: str, path: str) -> Iterator[CheckMessage]:
    """Check what stands between the host and the path of our own urlpatterns: a prefix of the whole project's."""
    of_project = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    of_ours = path.rpartition("/dlr/")[0]
    if of_project and not prefix.endswith(of_project):
        yield Warning(
            f"FORCE_SCRIPT_NAME says that this project is served under {of_project}, and CALLBACK_BASE_URL does not "
            "end in that, so that Messente would call another address.",
            hint=f"Write {of_project} after the host, unless a proxy serves the callback elsewhere.",
            id=f"{OF}.W012",
        )
    elif of_ours and prefix.endswith(of_ours):
        yield Warning(
            f"CALLBACK_BASE_URL ends in {of_ours}, under which our URLs are included, so that Messente is told to "
            f"call {prefix}{path}.",
            hint=f"Take {of_ours} away from it, unless all of this project is served under it once more.",
            id=f"{OF}.W012",
        )


def split(base: str) -> SplitResult | None:
    """Return the parts of a base URL with http or https and a host, or None for anything else."""
    try:
        parts = urlsplit(base)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and base.isprintable() and " " not in base else None
