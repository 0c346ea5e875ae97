"""Read the accounts of ``MESSENTE_DLR`` and their credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_messente_dlr.conf import converters
from django_messente_dlr.conf.converters import SETTING

DEFAULT_ACCOUNT = "default"
ACCOUNT_KEYS = ("USERNAME", "PASSWORD", "PREVIOUS_PASSWORDS")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The credentials of one account at Messente.

    Attributes:
        name: the project's name for the account: letters, digits, - and _ only, since callback URLs contain it.
        username: the user name of the account's HTTP API key.
        password: the password of that key.
        previous_passwords: older passwords that may still sign Omnichannel callbacks.
    """

    name: str
    username: str = ""
    password: str = field(default="", repr=False)
    previous_passwords: tuple[str, ...] = field(default=(), repr=False)

    @property
    def passwords(self) -> tuple[str, ...]:
        """Return the valid passwords, the current one first. An empty password is never valid."""
        return tuple(password for password in (self.password, *self.previous_passwords) if password)


def read_accounts(raw: Mapping[str, Any]) -> dict[str, AccountSettings]:
    """Return the accounts by name; empty if none is configured.

    Args:
        raw: the dictionary ``MESSENTE_DLR``, with ``ACCOUNTS`` or with the keys of the account ``default``.

    Raises:
        ImproperlyConfigured: a value is invalid. The message names the key and never contains the value.
    """
    entries = raw.get("ACCOUNTS")
    if entries is None:
        single = {key: raw[key] for key in ACCOUNT_KEYS if key in raw}
        entries = {DEFAULT_ACCOUNT: single} if single else {}
    if not isinstance(entries, Mapping) or not all(
        isinstance(name, str) and isinstance(entry, Mapping) for name, entry in entries.items()
    ):
        raise ImproperlyConfigured(f"{SETTING}: ACCOUNTS must be a dict of dicts, one for each account.")
    suffix = " of account '{}'" if raw.get("ACCOUNTS") is not None else ""
    return {name: _read_account(name, entry, suffix=suffix.format(name)) for name, entry in entries.items()}


def _read_account(name: str, entry: Mapping[str, Any], *, suffix: str) -> AccountSettings:
    return AccountSettings(
        name=name,
        username=converters.to_str(f"USERNAME{suffix}", entry.get("USERNAME") or ""),
        password=converters.to_str(f"PASSWORD{suffix}", entry.get("PASSWORD") or ""),
        previous_passwords=converters.to_str_list(
            f"PREVIOUS_PASSWORDS{suffix}", entry.get("PREVIOUS_PASSWORDS") or ()
        ),
    )
