"""What can be said of ``MESSENTE_DLR`` by itself: its keys, and its accounts with their credentials."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr import conf

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
OF = "django_messente_dlr"


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check ``MESSENTE_DLR``: that it can be read, knows its keys, and names accounts with credentials."""
    as_written = getattr(settings, conf.SETTING, {})
    if not isinstance(as_written, dict):
        return [
            Error(
                f"{conf.SETTING} is not a dict.",
                hint=f'Write {conf.SETTING} = {{"USERNAME": "…", "PASSWORD": "…"}}. The README shows the other keys.',
                id=f"{OF}.E006",
            )
        ]
    written = conf.raw_settings()
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
                hint=f'{_misspelt_setting()}Write {conf.SETTING} = {{"USERNAME": "…", "PASSWORD": "…"}} with the '
                "API key of Messente's dashboard.",
                id=f"{OF}.E002",
            )
        )
    for name, account in accounts.items():
        messages += _check_account(name, account)
    return messages + _check_shared_passwords(accounts)


def _check_keys(where: str, written: Mapping[str, Any], known: set[str]) -> list[CheckMessage]:
    return [
        Warning(
            f"{where} has a key «{key}» that nothing reads.",
            hint=f"{_did_you_mean(key, known)}Remove it, or correct its spelling. "
            f"The keys are {', '.join(sorted(known))}.",
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


def _check_shared_passwords(accounts: Mapping[str, conf.AccountSettings]) -> list[CheckMessage]:
    owners: dict[str, list[str]] = {}
    for name, account in accounts.items():
        for password in set(account.passwords):
            owners.setdefault(password, []).append(name)
    return [
        Warning(
            f"The accounts {', '.join(f'«{name}»' for name in names)} have a password in common, so a signature does "
            "not tell whose report it is.",
            hint="Give each account the API key that it has at Messente.",
            id=f"{OF}.W004",
        )
        for names in owners.values()
        if len(names) > 1
    ]


def _did_you_mean(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key.upper(), sorted(known), n=1)
    return f"Did you mean {close[0]}? " if close else ""


def _misspelt_setting() -> str:
    """Name a setting of the project's that looks as if ours was meant."""
    if hasattr(settings, conf.SETTING):
        return ""
    names = [name for name in dir(settings) if name.isupper() and "MESSENTE" in name]
    names += difflib.get_close_matches(conf.SETTING, [name for name in dir(settings) if name.isupper()], n=1)
    return f"There is a setting {names[0]}: did you mean {conf.SETTING}? " if names else ""
