"""Check what matters on a site that receives real reports: ``manage.py check --deploy``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.http.request import validate_host
from django.urls import NoReverseMatch

from django_messente_dlr import conf
from django_messente_dlr.callbacks import paths
from django_messente_dlr.checks.callback_url import split_base_url

APP = "django_messente_dlr"
MIN_KEY_LENGTH, MIN_DISTINCT_CHARACTERS = 32, 5
LOCAL_BACKENDS = frozenset(f"{APP}.backends.{name}.Backend" for name in ("console", "locmem"))
# A project sets one of these only behind a proxy.
PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the settings that matter on a site that receives real reports."""
    try:
        config = conf.get_config()
    except ImproperlyConfigured:
        return []  # E001 reports it
    messages = [*_check_keys(config), *_check_hosts(config), *_check_allow_list(config), *_check_connections()]
    messages += _check_sending(config)
    parts = split_base_url(config.callback_base_url)
    return [*(_check_base(parts) if parts else []), *messages]


def _check_base(parts: SplitResult) -> Iterator[CheckMessage]:
    if parts.scheme != "https":
        yield Warning(
            "CALLBACK_BASE_URL is not https, so the secret in callback URLs is sent unencrypted.",
            hint="Serve the callback over https and change CALLBACK_BASE_URL.",
            id=f"{APP}.W003",
        )
        if settings.SECURE_SSL_REDIRECT and not _is_exempt():
            yield Error(
                "CALLBACK_BASE_URL is not https and SECURE_SSL_REDIRECT is on: callbacks get a redirect. "
                "Messente takes it for success after a POST, and is not known to follow it after a GET.",
                hint="Change CALLBACK_BASE_URL to https, or add the callback's path to SECURE_REDIRECT_EXEMPT.",
                id=f"{APP}.E008",
            )
    host = parts.hostname or ""
    if settings.PREPEND_WWW and not host.startswith("www."):
        yield Error(
            "PREPEND_WWW is on and CALLBACK_BASE_URL does not begin with www: callbacks get a redirect. "
            "Messente takes it for success after a POST, and is not known to follow it after a GET.",
            hint=f"Write www.{host} into CALLBACK_BASE_URL.",
            id=f"{APP}.E009",
        )
    if _is_private(host):
        yield Warning(
            f"CALLBACK_BASE_URL points to {host}, which Messente cannot reach.",
            hint="Write the public name of this site.",
            id=f"{APP}.W005",
        )
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        yield Warning(
            f"The host of CALLBACK_BASE_URL, {host}, is not in ALLOWED_HOSTS, so callbacks get the answer 400.",
            hint=f'Add "{host}" to ALLOWED_HOSTS, unless a proxy passes another host to Django.',
            id=f"{APP}.W006",
        )


def _check_keys(config: conf.Config) -> Iterator[CheckMessage]:
    for key in config.callback_keys:
        if len(key) < MIN_KEY_LENGTH or len(set(key)) < MIN_DISTINCT_CHARACTERS:
            yield Warning(
                f"CALLBACK_KEYS has a key with fewer than {MIN_KEY_LENGTH} characters, or fewer than "
                f"{MIN_DISTINCT_CHARACTERS} distinct ones.",
                hint='Create one with python -c "import secrets; print(secrets.token_urlsafe(48))", put it first, '
                "and keep the old one until messente_doctor reports that it is no longer used.",
                id=f"{APP}.W007",
            )


def _check_hosts(config: conf.Config) -> Iterator[CheckMessage]:
    urls_by_key = {"API_HOSTS": config.api_hosts, "OMNICHANNEL_URL": (config.omnichannel_url,)}
    for key, urls in urls_by_key.items():
        if any(url and not url.lower().startswith("https://") for url in urls):
            yield Warning(
                f"{key} is not https, so the account's password is sent unencrypted.",
                hint=f"Remove {key} to use Messente's own hosts. Do not deploy with a sandbox.",
                id=f"{APP}.W010",
            )


def _check_allow_list(config: conf.Config) -> Iterator[CheckMessage]:
    proxies = [name for name in PROXY_SETTINGS if getattr(settings, name, None)]
    if config.callback_allowed_ips and not config.trusted_proxy_count and proxies:
        yield Warning(
            f"CALLBACK_ALLOWED_IPS is set and TRUSTED_PROXY_COUNT is not, but {proxies[0]} implies a proxy in front "
            "of this site: the proxy's address would be checked in place of Messente's.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies that append to X-Forwarded-For.",
            id=f"{APP}.W011",
        )


def _check_sending(config: conf.Config) -> Iterator[CheckMessage]:
    """Check for settings that keep messages from their recipients. They are meant for development and staging."""
    if config.backend in LOCAL_BACKENDS:
        yield Warning(
            f"BACKEND is {config.backend}, so no message is sent.",
            hint="Remove BACKEND to send by Messente.",
            id=f"{APP}.W016",
        )
    for name, value in (
        ("ALLOWED_RECIPIENTS", config.allowed_recipients is not None),
        ("OVERRIDE_RECIPIENT", bool(config.override_recipient)),
    ):
        if value:
            yield Warning(
                f"{name} is set, so messages do not reach all of their recipients.",
                hint="Remove it where customers get messages. On a staging site, silence this check.",
                id=f"{APP}.W017",
            )


def _check_connections() -> Iterator[CheckMessage]:
    """Check for persistent connections under ASGI (Django's documentation: "Databases", "Persistent connections").

    Under ASGI each request has a thread of its own. Its connection is not used again, and stays open.
    """
    models = list(apps.get_app_config(APP).get_models())
    aliases = {choose(model) for choose in (router.db_for_read, router.db_for_write) for model in models}
    for alias in sorted(aliases if getattr(settings, "ASGI_APPLICATION", None) else ()):
        database = settings.DATABASES.get(alias, {})
        if database.get("CONN_MAX_AGE", 0) != 0 and not database.get("OPTIONS", {}).get("pool"):
            yield Warning(
                f"ASGI_APPLICATION is set, and CONN_MAX_AGE of the database '{alias}' is not 0: under ASGI each "
                "request leaves an open connection, until the database accepts no more.",
                hint="Set CONN_MAX_AGE to 0. On PostgreSQL, psycopg's pool keeps connections open instead: "
                '"OPTIONS": {"pool": True}. If this site is not served by ASGI, silence this check.',
                id=f"{APP}.W013",
            )


def _is_exempt() -> bool:
    """Return whether SECURE_REDIRECT_EXEMPT matches the callback's path, as Django matches it."""
    try:
        path = paths.webhook_path().lstrip("/")
    except NoReverseMatch:
        return False  # E003 reports it
    return any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)


def _is_private(host: str) -> bool:
    """Return whether a host is a private address, or a name that only private networks use."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
