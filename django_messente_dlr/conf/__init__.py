"""Read ``settings.MESSENTE_DLR``, a dictionary, into a typed `Config`. No other module reads the setting.

Nothing is read at import, and ``override_settings`` takes effect immediately. The system checks of `checks` report
mistakes before the first request. Here an invalid value raises ImproperlyConfigured when the settings are first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from django_messente_dlr.conf import account_settings, converters

SETTING = converters.SETTING
DEFAULT_ACCOUNT = account_settings.DEFAULT_ACCOUNT
ACCOUNT_KEYS = account_settings.ACCOUNT_KEYS
AccountSettings = account_settings.AccountSettings
# All other keys are converted to the type of their default.
CONVERTERS: Mapping[str, Callable[[str, Any], Any]] = {
    "CALLBACK_ALLOWED_IPS": converters.to_networks,
    "API_HOSTS": converters.to_urls,
    "OMNICHANNEL_URL": converters.to_url,
    "CREDIT_FLOOR": converters.to_amount,
}
# Beginnings of the names of keys that may be 0.
ZERO_ALLOWED_PREFIXES = ("POLL_GRACE", "TRUSTED_PROXY_COUNT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings. Each attribute is a key of ``MESSENTE_DLR`` in lower case.

    Attributes:
        accounts: the accounts by name.
        callback_base_url: the scheme and host of this project for Messente; "" sends messages without a dlr-url.
        callback_keys: the keys of callback URLs: the first signs, all verify. Empty for Django's secret keys.
        callback_allowed_ips: the networks that may send callbacks; empty for any.
        trusted_proxy_count: the number of proxies in front of this project that append to X-Forwarded-For.
        store_text: whether the texts of messages are stored.
        hold_on_credits_exhausted: whether ``send_sms`` and ``prepare_sms`` raise while an account is on credit hold.
        credit_floor: the balance in EUR above which a balance check ends a credit hold.
        api_hosts: the SMS API's hosts in order of preference; empty for Messente's own.
        omnichannel_url: the Omnichannel API's base URL; empty for Messente's own.
        connect_timeout: the limit in seconds for a connection to Messente.
        read_timeout: the limit in seconds for each part of Messente's answer.
        total_timeout: the limit in seconds for a request to one host, from the connection to the end of the answer.
        poll_grace: seconds to wait for a callback before the first poll of a message.
        poll_grace_without_callback: the same for messages without a callback URL.
        poll_lease: seconds for which a poller's claim reserves a message.
        poll_batch_size: the number of messages in one claim.
        poll_concurrency: the number of threads that poll Messente at the same time.
        poll_rate: requests that one process sends in a second; Messente's own limit is 150 for an IP address.
    """

    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)
    callback_base_url: str = ""
    callback_keys: tuple[str, ...] = field(default=(), repr=False)
    callback_allowed_ips: tuple[converters.Network, ...] = ()
    trusted_proxy_count: int = 0
    store_text: bool = False
    hold_on_credits_exhausted: bool = True
    credit_floor: Decimal = Decimal(0)
    api_hosts: tuple[str, ...] = ()
    omnichannel_url: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    total_timeout: float = 20.0
    poll_grace: float = 600.0
    poll_grace_without_callback: float = 30.0
    poll_lease: float = 300.0
    poll_batch_size: int = 100
    poll_concurrency: int = 16
    poll_rate: float = 100.0


def known_keys() -> set[str]:
    """Return the keys that ``MESSENTE_DLR`` may have."""
    return {item.name.upper() for item in fields(Config)} | set(ACCOUNT_KEYS)


def raw_settings() -> dict[str, Any]:
    """Return ``MESSENTE_DLR`` without conversion; {} if the setting is missing or is not a dictionary."""
    values = getattr(settings, SETTING, {})
    return values if isinstance(values, dict) else {}


@cache
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


def account(name: str) -> AccountSettings:
    """Return the account with a name.

    Raises:
        ImproperlyConfigured: no such account is configured. The message explains how to add it.
    """
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


def _clear_cache(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        get_config.cache_clear()


setting_changed.connect(_clear_cache, dispatch_uid=f"{__name__}._clear_cache")
