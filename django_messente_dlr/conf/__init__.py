"""Read ``settings.MESSENTE_DLR``, a dictionary, into a typed `Config`. No other module reads the setting.

Nothing is read at import, and ``override_settings`` takes effect immediately. The system checks of `checks` report
mistakes before the first request. Here an invalid value raises ImproperlyConfigured when the settings are first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.conf import account_settings, config, converters, resend_policy
from django_messente_dlr.conf.caching import cached_until_changed

SETTING = converters.SETTING
DEFAULT_ACCOUNT = account_settings.DEFAULT_ACCOUNT
ACCOUNT_KEYS = account_settings.ACCOUNT_KEYS
AccountSettings = account_settings.AccountSettings
Config = config.Config
ResendPolicy = resend_policy.ResendPolicy
# All other keys are converted to the type of their default.
CONVERTERS: Mapping[str, Callable[[str, Any], Any]] = {
    "CALLBACK_ALLOWED_IPS": converters.to_networks,
    "API_HOSTS": converters.to_urls,
    "OMNICHANNEL_URL": converters.to_url,
    "CREDIT_FLOOR": converters.to_amount,
    "SEND_API": partial(converters.to_choice, choices=converters.SEND_APIS),
    "DEFAULT_ACCOUNT": converters.to_nonempty_str,
    "BACKEND": converters.to_dotted_path,
    "DISPATCH": partial(converters.to_choice, choices=("inline", "deferred")),
    "DISPATCH_PUSH": converters.to_optional_dotted_path,
    "QUEUE_PUSH": converters.to_optional_dotted_path,
    "ALLOWED_RECIPIENTS": converters.to_recipients,
    "OVERRIDE_RECIPIENT": converters.to_recipient,
    "DEFAULT_REGION": converters.to_region,
    "RESEND": resend_policy.to_resend_policy,
}
# Beginnings of the names of keys that may be 0.
ZERO_ALLOWED_PREFIXES = ("POLL_GRACE", "TRUSTED_PROXY_COUNT")


def known_keys() -> set[str]:
    """Return the keys that ``MESSENTE_DLR`` may have."""
    return {item.name.upper() for item in fields(Config)} | set(ACCOUNT_KEYS)


def raw_settings() -> dict[str, Any]:
    """Return ``MESSENTE_DLR`` without conversion; {} if the setting is missing or is not a dictionary."""
    values = getattr(settings, SETTING, {})
    return values if isinstance(values, dict) else {}


@cached_until_changed
def get_config() -> Config:
    """Return the current settings. A key with the value None is treated as missing.

    Raises:
        ImproperlyConfigured: a value is invalid. The message names the key and never contains the value.
    """
    try:
        return _read(raw_settings())
    except ImproperlyConfigured as exc:
        error = exc.with_traceback(None)
    # The original traceback holds the passwords in its frames' variables, and error reports show variables. Outside
    # the except block the exception gets a new traceback.
    raise error


def accounts() -> Mapping[str, AccountSettings]:
    """Return the accounts by name; empty if none is configured."""
    return get_config().accounts


def account(name: str | None) -> AccountSettings:
    """Return the account with a name.

    Args:
        name: the name; None for ``DEFAULT_ACCOUNT``.

    Raises:
        ImproperlyConfigured: no such account is configured. The message explains how to add it.
    """
    name = get_config().default_account if name is None else name
    try:
        return accounts()[name]
    except KeyError:
        configured = ", ".join(sorted(accounts())) or "none"
        raise ImproperlyConfigured(
            f"{SETTING} has no account '{name}' (configured: {configured}). Add USERNAME and PASSWORD to {SETTING}, "
            f'or an entry "{name}" to its ACCOUNTS.'
        ) from None


def _read(raw: Mapping[str, Any]) -> Config:
    values: dict[str, Any] = {"accounts": account_settings.read_accounts(raw)}
    for config_field in fields(Config):
        value = raw.get(config_field.name.upper())
        if config_field.name != "accounts" and value is not None:
            values[config_field.name] = _convert(config_field, value)
    return Config(**values)


def _convert(config_field: Field[Any], value: Any) -> Any:
    """Return a value as the type of its field's default; raise ImproperlyConfigured if it has another type."""
    key, default = config_field.name.upper(), config_field.default
    if key in CONVERTERS:
        return CONVERTERS[key](key, value)
    if isinstance(default, tuple):
        return converters.to_nonempty_str_list(key, value)
    if isinstance(default, str):
        return converters.to_str(key, value)
    if isinstance(default, bool):
        return converters.to_bool(key, value)
    return converters.to_number(
        key, value, integer=isinstance(default, int), allow_zero=key.startswith(ZERO_ALLOWED_PREFIXES)
    )
