"""Check the keys of ``MESSENTE_DLR``, and its accounts and their credentials."""

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
from django_messente_dlr.backends import get_backend
from django_messente_dlr.messente.recipients import is_allowed

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
APP = "django_messente_dlr"


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that ``MESSENTE_DLR`` is readable, has only existing keys, and has accounts with credentials."""
    setting = getattr(settings, conf.SETTING, {})
    if not isinstance(setting, dict):
        return [
            Error(
                f"{conf.SETTING} is not a dictionary.",
                hint=f'Write {conf.SETTING} = {{"USERNAME": "…", "PASSWORD": "…"}}. '
                "The documentation lists the other keys.",
                id=f"{APP}.E006",
            )
        ]
    values = conf.raw_settings()
    known_keys = conf.known_keys()
    if values.get("ACCOUNTS") is not None:
        known_keys -= set(conf.ACCOUNT_KEYS)  # these are keys of each account then
    messages = _check_keys(conf.SETTING, values, known_keys)
    try:
        accounts = conf.accounts()
    except ImproperlyConfigured as exc:
        return [*messages, Error(str(exc), hint="The documentation shows an example.", id=f"{APP}.E001")]
    for name, entry in (values.get("ACCOUNTS") or {}).items():
        messages += _check_keys(f"{conf.SETTING}: account '{name}'", entry, set(conf.ACCOUNT_KEYS))
    if not accounts:
        messages.append(
            Error(
                f"{conf.SETTING} has no account, so the app cannot send a message or poll for a report.",
                hint=f'{_misspelt_setting()}Write {conf.SETTING} = {{"USERNAME": "…", "PASSWORD": "…"}} with the '
                "API key of Messente's dashboard.",
                id=f"{APP}.E002",
            )
        )
    messages += _check_timeouts(conf.get_config())
    messages += _check_sending(accounts)
    for name, account in accounts.items():
        messages += _check_account(name, account)
    return messages + _check_shared_passwords(accounts)


def _check_keys(location: str, values: Mapping[str, Any], known_keys: set[str]) -> list[CheckMessage]:
    """Return a warning for each key that the app does not read.

    Args:
        location: the subject of the messages: the setting, and the account if the keys are of an account.
        values: the dictionary to check.
        known_keys: the keys that the app reads.
    """
    return [
        Warning(
            f"{location} has an unknown key '{key}'.",
            hint=f"{_did_you_mean(key, known_keys)}Remove it, or correct its spelling. "
            f"The keys are {', '.join(sorted(known_keys))}.",
            id=f"{APP}.W001",
        )
        for key in sorted(str(key) for key in set(values) - known_keys)
    ]


def _check_timeouts(config: conf.Config) -> list[CheckMessage]:
    return [
        Warning(
            f"{conf.SETTING}: {name} is longer than TOTAL_TIMEOUT, which ends each request earlier.",
            hint="Set TOTAL_TIMEOUT to at least the sum of CONNECT_TIMEOUT and READ_TIMEOUT.",
            id=f"{APP}.W014",
        )
        for name, seconds in (("CONNECT_TIMEOUT", config.connect_timeout), ("READ_TIMEOUT", config.read_timeout))
        if seconds > config.total_timeout
    ]


def _check_sending(accounts: Mapping[str, conf.AccountSettings]) -> list[CheckMessage]:
    """Return an error for a default account that does not exist, and for a backend that cannot be used."""
    config, messages = conf.get_config(), list[CheckMessage]()
    # A project with named accounts only may name the account in each call.
    if "DEFAULT_ACCOUNT" in conf.raw_settings() and config.default_account not in accounts:
        messages.append(
            Error(
                f"{conf.SETTING}: DEFAULT_ACCOUNT '{config.default_account}' is not an account.",
                hint=f"The accounts are {', '.join(sorted(accounts)) or 'none'}.",
                id=f"{APP}.E011",
            )
        )
    if config.api_hosts and not config.omnichannel_url:
        messages.append(
            Warning(
                f"{conf.SETTING} has API_HOSTS but no OMNICHANNEL_URL, so messages of the Omnichannel API go to "
                "Messente's own host.",
                hint="Set both, as for the sandbox or in tests, or neither.",
                id=f"{APP}.W015",
            )
        )
    if config.override_recipient and not _may_override(config):
        messages.append(
            Error(
                f"{conf.SETTING}: ALLOWED_RECIPIENTS does not contain OVERRIDE_RECIPIENT, so nothing can be sent.",
                hint="Add the number of OVERRIDE_RECIPIENT to ALLOWED_RECIPIENTS, or remove ALLOWED_RECIPIENTS.",
                id=f"{APP}.E013",
            )
        )
    try:
        get_backend()
    except ImproperlyConfigured as exc:
        hint = "Correct the dotted path, or remove BACKEND to send by Messente."
        messages.append(Error(str(exc), hint=hint, id=f"{APP}.E012"))
    return messages


def _may_override(config: conf.Config) -> bool:
    return config.allowed_recipients is None or is_allowed(config.override_recipient, config.allowed_recipients)


def _check_account(name: str, account: conf.AccountSettings) -> list[CheckMessage]:
    if not ACCOUNT_NAME.fullmatch(name):
        return [
            Error(
                f"The account name '{name}' cannot be part of a URL.",
                hint="Use at most 64 letters, digits, - and _.",
                id=f"{APP}.E004",
            )
        ]
    if not account.username or not account.password:
        return [
            Error(
                f"The account '{name}' has no USERNAME or no PASSWORD.",
                hint="Copy both from the API settings in Messente's dashboard.",
                id=f"{APP}.E005",
            )
        ]
    return []


def _check_shared_passwords(accounts: Mapping[str, conf.AccountSettings]) -> list[CheckMessage]:
    names_by_password: dict[str, list[str]] = {}
    for name, account in accounts.items():
        for password in set(account.passwords):
            names_by_password.setdefault(password, []).append(name)
    return [
        Warning(
            f"The accounts {', '.join(map(repr, names))} share a password, so a signature identifies no account.",
            hint="Set the PASSWORD of each account to its own API key at Messente.",
            id=f"{APP}.W004",
        )
        for names in names_by_password.values()
        if len(names) > 1
    ]


def _did_you_mean(key: str, known_keys: Iterable[str]) -> str:
    """Return a question that names the most similar key; "" if no key is similar."""
    matches = difflib.get_close_matches(key.upper(), sorted(known_keys), n=1)
    return f"Did you mean {matches[0]}? " if matches else ""


def _misspelt_setting() -> str:
    """Return a sentence that names a setting of the project with a similar name; "" if there is none."""
    if hasattr(settings, conf.SETTING):
        return ""
    names = [name for name in dir(settings) if name.isupper() and "MESSENTE" in name]
    names += difflib.get_close_matches(conf.SETTING, [name for name in dir(settings) if name.isupper()], n=1)
    return f"There is a setting {names[0]}: did you mean {conf.SETTING}? " if names else ""
