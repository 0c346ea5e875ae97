"""The one reader of ``MESSENTE_DLR``."""

from __future__ import annotations

import math
import traceback
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_messente_dlr import conf

SECRETS = {"PASSWORD": "a-secret-password", "PREVIOUS_PASSWORDS": ["an-older-secret"]}


def configured(**written: Any) -> conf.Config:
    with override_settings(MESSENTE_DLR=written):
        return conf.get_config()


def test_an_empty_dict_is_the_defaults() -> None:
    config = configured()
    assert config == conf.Config()
    assert config.accounts == {}
    assert (config.callback_base_url, config.callback_keys, config.api_hosts) == ("", (), ())
    assert (config.connect_timeout, config.read_timeout) == (5.0, 10.0)
    assert config.store_text is False
    assert config.hold_on_credits_exhausted is True


def test_no_setting_at_all_is_the_defaults(settings: Any) -> None:
    settings.MESSENTE_DLR = {}  # Django tells nobody of a setting that is deleted, but of this, now and afterwards
    del settings.MESSENTE_DLR
    assert conf.get_config() == conf.Config()
    assert conf.raw_settings() == {}


@pytest.mark.parametrize("written", [None, [], "USERNAME", 4, [("USERNAME", "shop")]])
def test_what_is_no_dict_is_no_settings(settings: Any, written: Any) -> None:
    settings.MESSENTE_DLR = written
    assert conf.raw_settings() == {}
    assert conf.accounts() == {}


def test_override_settings_takes_effect_at_once_and_ends_at_once() -> None:
    before = conf.get_config()
    with override_settings(MESSENTE_DLR={"STORE_TEXT": True}):
        assert conf.get_config().store_text is True
        with override_settings(MESSENTE_DLR={"STORE_TEXT": False, "READ_TIMEOUT": 3}):
            assert conf.get_config().read_timeout == 3
        assert conf.get_config().store_text is True
    assert conf.get_config() == before


def test_settings_are_read_once_and_not_again_for_another_setting() -> None:
    config = conf.get_config()
    with override_settings(LANGUAGE_CODE="et"):
        assert conf.get_config() is config


def test_username_and_password_alone_are_the_default_account() -> None:
    account = configured(USERNAME="shop", **SECRETS).accounts["default"]
    assert account == conf.AccountSettings(
        name="default", username="shop", password="a-secret-password", previous_passwords=("an-older-secret",)
    )
    assert account.passwords == ("a-secret-password", "an-older-secret")


def test_accounts_are_read_by_their_names_and_stand_alone() -> None:
    accounts = configured(
        USERNAME="ignored", ACCOUNTS={"default": {"USERNAME": "shop"}, "marketing": {"PASSWORD": "x"}}
    ).accounts
    assert {name: account.username for name, account in accounts.items()} == {"default": "shop", "marketing": ""}
    assert all(name == account.name for name, account in accounts.items())


def test_an_account_is_found_by_its_name() -> None:
    assert conf.account("marketing").username == "news"


def test_an_unknown_account_is_told_with_what_to_write(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"no account 'shop' \(configured: default, marketing\)"):
        conf.account("shop")
    settings.MESSENTE_DLR = {}
    with pytest.raises(ImproperlyConfigured, match=r"configured: none.*Add USERNAME and PASSWORD"):
        conf.account("default")


@pytest.mark.parametrize(
    ("passwords", "live"),
    [
        ({"PASSWORD": "new", "PREVIOUS_PASSWORDS": ["old", "older"]}, ("new", "old", "older")),
        ({"PASSWORD": "new", "PREVIOUS_PASSWORDS": ("old",)}, ("new", "old")),
        ({"PASSWORD": "new", "PREVIOUS_PASSWORDS": [""]}, ("new",)),
        ({"PASSWORD": "new", "PREVIOUS_PASSWORDS": None}, ("new",)),
        ({"PASSWORD": "", "PREVIOUS_PASSWORDS": ["", "old"]}, ("old",)),
        ({"PASSWORD": None}, ()),
        ({}, ()),
    ],
)
def test_an_empty_password_is_never_a_live_one(passwords: dict[str, Any], live: tuple[str, ...]) -> None:
    assert configured(USERNAME="shop", **passwords).accounts["default"].passwords == live


def test_no_repr_shows_a_secret() -> None:
    config = configured(USERNAME="shop", CALLBACK_KEYS=["a-secret-key"], **SECRETS)
    shown = f"{config!r} {config} {config.accounts!r}"
    assert "shop" in shown
    assert "secret" not in shown


def test_none_counts_as_left_out() -> None:
    left_out = dict.fromkeys(conf.known_keys(), None)
    assert configured(**left_out).callback_base_url == ""
    assert configured(**{**left_out, "ACCOUNTS": {}}) == conf.Config()


@pytest.mark.parametrize("key", ["store_text", "Store_Text", "STORE_TEXTS", "", 5, None, ("STORE_TEXT",)])
def test_keys_that_are_not_known_are_not_read(key: Any) -> None:
    with override_settings(MESSENTE_DLR={key: True}):
        assert conf.get_config() == conf.Config()


def test_every_key_is_read_under_its_own_name() -> None:
    values: dict[str, Any] = {
        "CALLBACK_BASE_URL": "https://shop.example.com",
        "CALLBACK_KEYS": ["k"],
        "CALLBACK_ALLOWED_IPS": ["192.0.2.7", "2001:db8::/32"],
        "TRUSTED_PROXY_COUNT": 0,
        "STORE_TEXT": True,
        "HOLD_ON_CREDITS_EXHAUSTED": False,
        "API_HOSTS": ("http://127.0.0.1:8000",),
        "OMNICHANNEL_URL": "http://127.0.0.1:8000/v1",
        "CONNECT_TIMEOUT": 1,
        "READ_TIMEOUT": 2.5,
        "POLL_GRACE": 0,
        "POLL_GRACE_WITHOUT_CALLBACK": 0.0,
        "POLL_LEASE": 60,
        "POLL_BATCH_SIZE": 1,
        "POLL_CONCURRENCY": 1,
        "POLL_RATE": 0.5,
    }
    assert set(values) | {"ACCOUNTS", *conf.ACCOUNT_KEYS} == conf.known_keys()
    config = configured(**values)
    assert config.callback_allowed_ips == (ip_network("192.0.2.7/32"), ip_network("2001:db8::/32"))
    del values["CALLBACK_ALLOWED_IPS"]
    for key, value in values.items():
        assert getattr(config, key.lower()) == (tuple(value) if isinstance(value, list) else value)


NUMBERS = ("CONNECT_TIMEOUT", "READ_TIMEOUT", "POLL_LEASE")
NUMBERS_OR_ZERO = ("POLL_GRACE", "POLL_GRACE_WITHOUT_CALLBACK")
WHOLE = ("POLL_BATCH_SIZE", "POLL_CONCURRENCY")
NO_NUMBERS: list[Any] = ["5", -1, True, [5], math.nan, math.inf, -math.inf, 5j]
NO_LISTS: list[Any] = ["https://x", b"https://x", 4, {"a": 1}, {"a"}, ["a", 4], [None]]
NO_URLS = ["api2.messente.com", "ftp://x", "https://", "http://[", "https://user:secret@x", "https://user@x", "//x"]
NO_ACCOUNTS: list[Any] = ["shop", ["shop"], 4, {"default": None}, {"default": "shop"}, {"default": []}]
NO_NAMES: list[Any] = [4, None, b"default", ("default",)]
WRONG: list[tuple[tuple[str, ...], list[Any]]] = [
    (("CALLBACK_ALLOWED_IPS",), [*NO_LISTS, [""], ["shop"], ["192.0.2.256"], ["192.0.2.1/24"], ["192.0.2.0/33"]]),
    (("CALLBACK_KEYS", "API_HOSTS"), [*NO_LISTS, [""], ["a", ""]]),
    (("API_HOSTS",), [["https://x", url] for url in NO_URLS]),
    (("OMNICHANNEL_URL",), NO_URLS),
    (("PREVIOUS_PASSWORDS",), NO_LISTS),
    (("CALLBACK_BASE_URL", "OMNICHANNEL_URL", "USERNAME", "PASSWORD"), [4, b"https://x", ["https://x"]]),
    (("STORE_TEXT", "HOLD_ON_CREDITS_EXHAUSTED"), [0, 1, "False", []]),
    (NUMBERS, [*NO_NUMBERS, 0]),
    (NUMBERS_OR_ZERO, NO_NUMBERS),
    (("TRUSTED_PROXY_COUNT",), [*NO_NUMBERS, 1.0]),
    (WHOLE, [*NO_NUMBERS, 0, 2.0]),
    (("ACCOUNTS",), [*NO_ACCOUNTS, *({name: {"USERNAME": "shop"}} for name in NO_NAMES)]),
]
CASES = [(key, value) for keys, values in WRONG for key in keys for value in values]


@pytest.mark.parametrize(("key", "value"), CASES, ids=repr)
def test_a_value_of_the_wrong_kind_is_refused_with_the_name_of_its_key(key: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^MESSENTE_DLR: {key} ") as caught:
        configured(**{**SECRETS, key: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("PASSWORD", 4), ("USERNAME", b"shop"), ("PREVIOUS_PASSWORDS", "old")])
def test_a_wrong_value_inside_of_an_account_is_refused_with_the_name_of_its_key(key: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^MESSENTE_DLR: {key} ") as caught:
        configured(ACCOUNTS={"default": {**SECRETS, key: value}})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"POLL_RATE": "100"}, {"USERNAME": 4}, {"ACCOUNTS": {"default": SECRETS, "b": 4}}])
def test_what_was_written_is_not_among_a_tracebacks_variables(wrong: dict[str, Any]) -> None:
    with override_settings(MESSENTE_DLR={**SECRETS, **wrong}), pytest.raises(ImproperlyConfigured) as caught:
        conf.get_config()
    frames = [
        frame for frame, _ in traceback.walk_tb(caught.tb) if frame.f_code.co_filename.startswith(conf.__path__[0])
    ]
    assert frames
    assert "secret" not in repr([frame.f_locals for frame in frames])


def test_a_mistake_is_told_again_until_it_is_mended(settings: Any) -> None:
    settings.MESSENTE_DLR = {"ACCOUNTS": []}
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured):
            conf.get_config()
    settings.MESSENTE_DLR = {"ACCOUNTS": {}}
    assert conf.get_config() == conf.Config()
