"""System checks: mistakes in the set-up are found before they cost reports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from django_messente_dlr import callbacks, conf

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
OF = "django_messente_dlr"


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check ``MESSENTE_DLR``: that it can be read, knows its keys, and names accounts with credentials."""
    written = conf.raw()
    known = conf.known_keys()
    if written.get("ACCOUNTS") is not None:
        known -= set(conf.ACCOUNT_KEYS)  # each account has its own
    messages = _check_keys(conf.SETTING, written, known)
    try:
        accounts = conf.accounts()
    except ImproperlyConfigured as exc:
        return [*messages, Error(str(exc), hint="The README shows what it looks like.", id=f"{OF}.E001")]
    for name, entry in (written.get("ACCOUNTS") or {}).items():
        messages += _check_keys(f"{conf.SETTING}: account «{name}»", entry, set(conf.ACCOUNT_KEYS))
    if not accounts:
        messages.append(
            Error(
                f"{conf.SETTING} has no account, so no message can be sent and no report be asked for.",
                hint=f'Write {conf.SETTING} = {{"USERNAME": "…", "PASSWORD": "…"}} with the API key of Messente\'s '
                "dashboard.",
                id=f"{OF}.E002",
            )
        )
    for name, account in accounts.items():
        messages += _check_account(name, account)
    return messages


@register(Tags.urls)
def check_callback_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that Messente can be told where to report."""
    try:
        base = conf.current().callback_base_url
        if not base:
            return [
                Warning(
                    f"{conf.SETTING} has no CALLBACK_BASE_URL, so Messente is not told where to report to.",
                    hint='Set it to the scheme and host of this site, such as "https://shop.example.com". Without '
                    "it reports are only learnt by poll_dlrs.",
                    id=f"{OF}.W002",
                )
            ]
        callbacks.message_callback_url(1, conf.DEFAULT_ACCOUNT)
    except NoReverseMatch:
        return [
            Error(
                "The callback view has no URL.",
                hint='Add path("messente/", include("django_messente_dlr.urls")) to the project\'s urlpatterns.',
                id=f"{OF}.E003",
            )
        ]
    except ImproperlyConfigured:
        return []  # E001 tells
    return []


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check what matters once real reports come."""
    try:
        base = conf.current().callback_base_url
    except ImproperlyConfigured:
        return []  # E001 tells
    if base and not base.lower().startswith("https://"):
        return [
            Warning(
                "CALLBACK_BASE_URL is not https, so the secret in callback URLs travels in the open.",
                hint="Serve the callback over https and change CALLBACK_BASE_URL.",
                id=f"{OF}.W003",
            )
        ]
    return []


def _check_keys(where: str, written: Mapping[str, Any], known: set[str]) -> list[CheckMessage]:
    return [
        Warning(
            f"{where} has a key «{key}» that nothing reads.",
            hint=f"Remove it, or correct its spelling. The keys are {', '.join(sorted(known))}.",
            id=f"{OF}.W001",
        )
        for key in sorted(str(key) for key in set(written) - known)
    ]


def _check_account(name: str, account: conf.AccountSettings) -> list[CheckMessage]:
    if not ACCOUNT_NAME.fullmatch(name):
        return [
            Error(
                f"The account name «{name}» cannot stand in a URL.",
                hint="Use letters, digits, - and _ only, 64 at most.",
                id=f"{OF}.E004",
            )
        ]
    if not account.username or not account.password:
        return [
            Error(
                f"The account «{name}» has no USERNAME or no PASSWORD.",
                hint="Copy both from the API settings in Messente's dashboard.",
                id=f"{OF}.E005",
            )
        ]
    return []
