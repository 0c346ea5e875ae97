"""The one reader of ``settings.MESSENTE_DLR``: a dict of the project's goes in, a typed `Config` comes out.

Nothing is read at import, and ``override_settings`` takes effect at once. What is wrong with the settings is for
`checks` to find before the first request; here a wrong value raises ImproperlyConfigured when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from django_messente_dlr.conf import converters

SETTING = converters.SETTING
DEFAULT_ACCOUNT = "default"
ACCOUNT_KEYS = ("USERNAME", "PASSWORD", "PREVIOUS_PASSWORDS")
# Those of which more is asked than the kind of their default.
READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "CALLBACK_ALLOWED_IPS": converters.networks,
    "API_HOSTS": converters.urls,
    "OMNICHANNEL_URL": converters.url,
}
MAY_BE_ZERO = ("POLL_GRACE", "TRUSTED_PROXY_COUNT")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The credentials of one account at Messente.

    Attributes:
        name: what the project calls it; it appears in URLs, so letters, digits, - and _ only.
        username: the user name of its HTTP API key.
        password: that key's password.
        previous_passwords: passwords that may still sign Omnichannel callbacks while a new one comes into use.
    """

    name: str
    username: str = ""
    password: str = field(default="", repr=False)
    previous_passwords: tuple[str, ...] = field(default=(), repr=False)

    @property
    def passwords(self) -> tuple[str, ...]:
        """The live passwords, the present one first; never an empty one."""
        return tuple(password for password in (self.password, *self.previous_passwords) if password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings, each under its name in ``MESSENTE_DLR`` in lower case.

    Attributes:
        accounts: the accounts by their names.
        callback_base_url: scheme and host under which Messente reaches this project; "" sends no dlr-url.
        callback_keys: the keys that sign callback URLs; the first signs, all verify. Empty for SECRET_KEY and
            SECRET_KEY_FALLBACKS.
        callback_allowed_ips: the networks that may call back; empty for any.
        trusted_proxy_count: the proxies before this project, each of which appends to X-Forwarded-For.
        store_text: whether the texts of messages are kept.
        hold_on_credits_exhausted: whether ``send_sms`` refuses while an account is known to be out of credits.
        api_hosts: the SMS API's hosts in the order of preference; empty for Messente's own.
        omnichannel_url: the Omnichannel API's base URL; empty for Messente's own.
        connect_timeout: seconds to wait for a connection to Messente.
        read_timeout: seconds to wait for Messente's answer.
        poll_grace: seconds to wait for a callback before a message is first asked about.
        poll_grace_without_callback: the same where no callback is to be expected.
        poll_lease: seconds for which a poller's claim keeps others away from a message.
        poll_batch_size: messages in one claim.
        poll_concurrency: threads that ask Messente at the same time.
        poll_rate: questions a second that one process asks; Messente's own limit is 150 for an IP address.
    """

    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)
    callback_base_url: str = ""
    callback_keys: tuple[str, ...] = field(default=(), repr=False)
    callback_allowed_ips: tuple[converters.Network, ...] = ()
    trusted_proxy_count: int = 0
    store_text: bool = False
    hold_on_credits_exhausted: bool = True
    api_hosts: tuple[str, ...] = ()
    omnichannel_url: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    poll_grace: float = 600.0
    poll_grace_without_callback: float = 30.0
    poll_lease: float = 300.0
    poll_batch_size: int = 100
    poll_concurrency: int = 16
    poll_rate: float = 100.0


def known_keys() -> set[str]:
    """Return the names that ``MESSENTE_DLR`` may have."""
    return {item.name.upper() for item in fields(Config)} | set(ACCOUNT_KEYS)


def raw_settings() -> dict[str, Any]:
    """Return ``MESSENTE_DLR`` as the project wrote it; {} where it did not, or wrote no dict."""
    written = getattr(settings, SETTING, {})
    return written if isinstance(written, dict) else {}


@cache
def get_config() -> Config:
    """Return the settings as they are now; a key whose value is None counts as left out.

    Raises:
        ImproperlyConfigured: a value is not what its key asks for; the message names the key alone, never the value.
    """
    try:
        return _read(raw_settings())
    except ImproperlyConfigured as exc:
        trouble = exc.with_traceback(None)
    # Out here, where the traceback begins anew: the variables below hold what was written, passwords among it.
    raise trouble


def accounts() -> Mapping[str, AccountSettings]:
    """Return the accounts by their names; empty where none is configured."""
    return get_config().accounts


def account(name: str) -> AccountSettings:
    """Return the account called ``name``.

    Raises:
        ImproperlyConfigured: there is none; the message says what to write into the settings.
    """
    try:
        return accounts()[name]
    except KeyError:
        configured = ", ".join(sorted(accounts())) or "none"
        raise ImproperlyConfigured(
            f"{SETTING} has no account '{name}' (configured: {configured}). Add USERNAME and PASSWORD to {SETTING}, "
            f'or an entry "{name}" to its ACCOUNTS.'
        ) from None


def _read(written: Mapping[str, Any]) -> Config:
    told: dict[str, Any] = {"accounts": _accounts(written)}
    for item in fields(Config):
        value = written.get(item.name.upper())
        if item.name != "accounts" and value is not None:
            told[item.name] = _value(item, value)
    return Config(**told)


def _accounts(written: Mapping[str, Any]) -> dict[str, AccountSettings]:
    entries = written.get("ACCOUNTS")
    if entries is None:
        single = {key: written[key] for key in ACCOUNT_KEYS if key in written}
        entries = {DEFAULT_ACCOUNT: single} if single else {}
    if not isinstance(entries, Mapping) or not all(
        isinstance(name, str) and isinstance(entry, Mapping) for name, entry in entries.items()
    ):
        raise ImproperlyConfigured(f"{SETTING}: ACCOUNTS must be a dict of dicts, one for each account by its name.")
    of = " of account «{}»" if written.get("ACCOUNTS") is not None else ""
    return {name: _account(name, entry, of=of.format(name)) for name, entry in entries.items()}


def _account(name: str, entry: Mapping[str, Any], *, of: str) -> AccountSettings:
    return AccountSettings(
        name=name,
        username=converters.text(f"USERNAME{of}", entry.get("USERNAME") or ""),
        password=converters.text(f"PASSWORD{of}", entry.get("PASSWORD") or ""),
        previous_passwords=converters.to_str_list(f"PREVIOUS_PASSWORDS{of}", entry.get("PREVIOUS_PASSWORDS") or ()),
    )


def _value(item: Field[Any], value: Any) -> Any:
    """Return a value that is of the kind of its key's default."""
    key, default = item.name.upper(), item.default
    if key in READERS:
        return READERS[key](key, value)
    if isinstance(default, tuple):
        return converters.to_nonempty_str_list(key, value)
    if isinstance(default, str):
        return converters.text(key, value)
    if isinstance(default, bool):
        return converters.to_bool(key, value)
    return converters.number(key, value, whole=isinstance(default, int), or_zero=key.startswith(MAY_BE_ZERO))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        get_config.cache_clear()


setting_changed.connect(_forget, dispatch_uid=f"{__name__}._forget")
