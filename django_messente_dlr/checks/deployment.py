"""What matters once real reports come: ``manage.py check --deploy``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host
from django.urls import NoReverseMatch

from django_messente_dlr import conf
from django_messente_dlr.callbacks import tokens
from django_messente_dlr.checks.callback_url import split

OF = "django_messente_dlr"
SHORTEST_KEY, FEWEST_CHARACTERS = 32, 5
# A project that sets one of these says itself that a proxy stands before it.
PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check what matters once real reports come."""
    try:
        config = conf.get_config()
    except ImproperlyConfigured:
        return []  # E001 tells
    messages = [*_check_keys(config), *_check_hosts(config), *_check_allow_list(config)]
    parts = split(config.callback_base_url)
    return [*(_check_base(parts) if parts else []), *messages]


def _check_base(parts: SplitResult) -> Iterator[CheckMessage]:
    if parts.scheme != "https":
        yield Warning(
            "CALLBACK_BASE_URL is not https, so the secret in callback URLs travels in the open.",
            hint="Serve the callback over https and change CALLBACK_BASE_URL.",
            id=f"{OF}.W003",
        )
        if settings.SECURE_SSL_REDIRECT and not _is_exempt():
            yield Error(
                "CALLBACK_BASE_URL is not https and SECURE_SSL_REDIRECT is on: reports are answered with a redirect, "
                "which Messente takes for «received» or, by GET, is not known to follow.",
                hint="Change CALLBACK_BASE_URL to https, or have SECURE_REDIRECT_EXEMPT match the callback's path.",
                id=f"{OF}.E008",
            )
    host = parts.hostname or ""
    if settings.PREPEND_WWW and not host.startswith("www."):
        yield Error(
            "PREPEND_WWW is on and CALLBACK_BASE_URL does not begin with www: reports are answered with a redirect, "
            "which Messente takes for «received» or, by GET, is not known to follow.",
            hint=f"Write www.{host} into CALLBACK_BASE_URL.",
            id=f"{OF}.E009",
        )
    if _is_private(host):
        yield Warning(
            f"CALLBACK_BASE_URL points to {host}, which Messente cannot reach.",
            hint="Write the name under which this site is to be reached from outside.",
            id=f"{OF}.W005",
        )
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        yield Warning(
            f"The host of CALLBACK_BASE_URL, {host}, is not in ALLOWED_HOSTS, so reports are answered 400.",
            hint=f'Add "{host}" to ALLOWED_HOSTS, unless a proxy gives Django another host to see.',
            id=f"{OF}.W006",
        )


def _check_keys(config: conf.Config) -> Iterator[CheckMessage]:
    for key in config.callback_keys:
        if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS:
            yield Warning(
                f"CALLBACK_KEYS has a key of less than {SHORTEST_KEY} characters, or of less than "
                f"{FEWEST_CHARACTERS} different ones.",
                hint='Make one with python -c "import secrets; print(secrets.token_urlsafe(48))", put it first, and '
                "keep the old one until messente_doctor says that it is not used any more.",
                id=f"{OF}.W007",
            )


def _check_hosts(config: conf.Config) -> Iterator[CheckMessage]:
    told = {"API_HOSTS": config.api_hosts, "OMNICHANNEL_URL": (config.omnichannel_url,)}
    for key, urls in told.items():
        if any(url and not url.lower().startswith("https://") for url in urls):
            yield Warning(
                f"{key} is not https, so the account's password travels in the open.",
                hint=f"Take {key} out: Messente's own are used then. A sandbox is nothing to deploy with.",
                id=f"{OF}.W010",
            )


def _check_allow_list(config: conf.Config) -> Iterator[CheckMessage]:
    proxies = [name for name in PROXY_SETTINGS if getattr(settings, name, None)]
    if config.callback_allowed_ips and not config.trusted_proxy_count and proxies:
        yield Warning(
            f"CALLBACK_ALLOWED_IPS is set and TRUSTED_PROXY_COUNT is not, but {proxies[0]} says that a proxy stands "
            "before this site: its address would be taken for Messente's.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies that append to X-Forwarded-For.",
            id=f"{OF}.W011",
        )


def _is_exempt() -> bool:
    """Tell whether SECURE_REDIRECT_EXEMPT matches the callback's path, as Django's SecurityMiddleware looks at it."""
    try:
        path = tokens.webhook_path().lstrip("/")
    except NoReverseMatch:
        return False  # E003 tells
    return any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
