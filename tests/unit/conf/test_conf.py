"""Read ``MESSENTE_DLR`` into `conf.Config`."""

from __future__ import annotations

import math
import traceback
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_messente_dlr import conf

SECRETS = {"PASSWORD": "a-secret-password", "PREVIOUS_PASSWORDS": ["an-older-secret"]}


def configure(**values: Any) -> conf.Config:
    """Return the settings that a dictionary of these values is read into."""
    with override_settings(MESSENTE_DLR=values):
        return conf.get_config()


def test_get_config__empty_dictionary() -> None:
    config = configure()
    assert config == conf.Config()
    assert config.accounts == {}
    assert (config.callback_base_url, config.callback_keys, config.api_hosts) == ("", (), ())
    assert (config.connect_timeout, config.read_timeout, config.total_timeout) == (5.0, 10.0, 20.0)
    assert config.store_text is False
    assert config.hold_on_credits_exhausted is True


def test_get_config__missing_setting(settings: Any) -> None:
    settings.MESSENTE_DLR = {}  # Django sends setting_changed for this, but not for a deletion
    del settings.MESSENTE_DLR
    assert conf.get_config() == conf.Config()
    assert conf.raw_settings() == {}


@pytest.mark.parametrize("value", [None, [], "USERNAME", 4, [("USERNAME", "shop")]])
def test_raw_settings__not_a_dictionary(settings: Any, value: Any) -> None:
    settings.MESSENTE_DLR = value
    assert conf.raw_settings() == {}
    assert conf.accounts() == {}


def test_get_config__override_settings() -> None:
    before = conf.get_config()
    with override_settings(MESSENTE_DLR={"STORE_TEXT": True}):
        assert conf.get_config().store_text is True
        with override_settings(MESSENTE_DLR={"STORE_TEXT": False, "READ_TIMEOUT": 3}):
            assert conf.get_config().read_timeout == 3
        assert conf.get_config().store_text is True
    assert conf.get_config() == before


def test_get_config__cached_across_other_settings() -> None:
    config = conf.get_config()
    with override_settings(LANGUAGE_CODE="et"):
        assert conf.get_config() is config


def test_accounts__username_and_password_only() -> None:
    account = configure(USERNAME="shop", **SECRETS).accounts["default"]
    assert account == conf.AccountSettings(
        name="default", username="shop", password="a-secret-password", previous_passwords=("an-older-secret",)
    )
    assert account.passwords == ("a-secret-password", "an-older-secret")


def test_accounts__accounts_ignore_other_credentials() -> None:
    accounts = configure(
        USERNAME="ignored", ACCOUNTS={"default": {"USERNAME": "shop"}, "marketing": {"PASSWORD": "x"}}
    ).accounts
    assert {name: account.username for name, account in accounts.items()} == {"default": "shop", "marketing": ""}
    assert all(name == account.name for name, account in accounts.items())


def test_account__by_name() -> None:
    assert conf.account("marketing").username == "news"


def test_account__unknown_name(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"no account 'shop' \(configured: default, marketing\)"):
        conf.account("shop")
    settings.MESSENTE_DLR = {}
    with pytest.raises(ImproperlyConfigured, match=r"configured: none.*Add USERNAME and PASSWORD"):
        conf.account("default")


@pytest.mark.parametrize(
    ("values", "passwords"),
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
def test_passwords__without_empty_ones(values: dict[str, Any], passwords: tuple[str, ...]) -> None:
    assert configure(USERNAME="shop", **values).accounts["default"].passwords == passwords


def test_config__repr_without_secrets() -> None:
    config = configure(USERNAME="shop", CALLBACK_KEYS=["a-secret-key"], **SECRETS)
    text = f"{config!r} {config} {config.accounts!r}"
    assert "shop" in text
    assert "secret" not in text


def test_get_config__none_is_missing() -> None:
    missing = dict.fromkeys(conf.known_keys(), None)
    assert configure(**missing).callback_base_url == ""
    assert configure(**{**missing, "ACCOUNTS": {}}) == conf.Config()


@pytest.mark.parametrize("key", ["store_text", "Store_Text", "STORE_TEXTS", "", 5, None, ("STORE_TEXT",)])
def test_get_config__unknown_key(key: Any) -> None:
    with override_settings(MESSENTE_DLR={key: True}):
        assert conf.get_config() == conf.Config()


def test_get_config__every_key() -> None:
    values: dict[str, Any] = {
        "CALLBACK_BASE_URL": "https://shop.example.com",
        "CALLBACK_KEYS": ["k"],
        "CALLBACK_ALLOWED_IPS": ["192.0.2.7", "2001:db8::/32"],
        "TRUSTED_PROXY_COUNT": 0,
        "SEND_API": "sms",
        "DEFAULT_ACCOUNT": "shop",
        "BACKEND": "shop.sms.Backend",
        "ALLOWED_RECIPIENTS": ["37255500000", "37256*"],
        "OVERRIDE_RECIPIENT": "+37255500000",
        "STORE_TEXT": True,
        "DEFAULT_REGION": "EE",
        "MAX_PARTS": 3,
        "HOLD_ON_CREDITS_EXHAUSTED": False,
        "CREDIT_FLOOR": Decimal("0.07"),
        "API_HOSTS": ("http://127.0.0.1:8000",),
        "OMNICHANNEL_URL": "http://127.0.0.1:8000/v1",
        "CONNECT_TIMEOUT": 1,
        "READ_TIMEOUT": 2.5,
        "TOTAL_TIMEOUT": 4,
        "POLL_GRACE": 0,
        "POLL_GRACE_WITHOUT_CALLBACK": 0.0,
        "POLL_LEASE": 60,
        "POLL_BATCH_SIZE": 1,
        "POLL_CONCURRENCY": 1,
        "POLL_RATE": 0.5,
        "DISPATCH": "deferred",
        "DISPATCH_PUSH": "django_messente_dlr.contrib.celery.push_dispatch",
        "QUEUE_LEASE": 60,
        "QUEUE_BATCH_SIZE": 1,
        "QUEUE_CONCURRENCY": 1,
        "QUEUE_RATE": 0.5,
        "QUEUE_MAX_ATTEMPTS": 1,
        "QUEUE_BULK": True,
        "QUEUE_PUSH": "django_messente_dlr.contrib.celery.push_queue",
        "RESEND": {"attempts": 3, "backoff": [60, 0.5]},
    }
    assert set(values) | {"ACCOUNTS", *conf.ACCOUNT_KEYS} == conf.known_keys()
    config = configure(**values)
    assert config.callback_allowed_ips == (ip_network("192.0.2.7/32"), ip_network("2001:db8::/32"))
    assert config.resend == conf.ResendPolicy(
        attempts=3, backoff=(timedelta(seconds=60), timedelta(milliseconds=500))
    )
    del values["CALLBACK_ALLOWED_IPS"], values["RESEND"]
    for key, value in values.items():
        assert getattr(config, key.lower()) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("SEND_API", "SMS", "SEND_API must be 'omnichannel' or 'sms'"),
        ("SEND_API", "", "SEND_API must be 'omnichannel' or 'sms'"),
        ("SEND_API", ["sms"], "SEND_API must be 'omnichannel' or 'sms'"),
        ("DEFAULT_ACCOUNT", "", "DEFAULT_ACCOUNT is empty"),
        ("DEFAULT_ACCOUNT", 4, "DEFAULT_ACCOUNT must be a string"),
        ("BACKEND", "Backend", "BACKEND must be a dotted path"),
        ("BACKEND", "shop sms.Backend", "BACKEND must be a dotted path"),
        ("BACKEND", type, "BACKEND must be a string"),
        ("DEFAULT_REGION", "EST", 'DEFAULT_REGION must be the code of a country in two letters, such as "EE"'),
        ("DEFAULT_REGION", "+372", "DEFAULT_REGION must be the code"),
        ("DEFAULT_REGION", 372, "DEFAULT_REGION must be a string"),
        ("MAX_PARTS", 0, "MAX_PARTS must be a whole number above 0"),
        ("MAX_PARTS", 2.5, "MAX_PARTS must be a whole number"),
    ],
)
def test_get_config__invalid_way_to_send(key: str, value: Any, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=text):
        configure(**{key: value})


@pytest.mark.parametrize("region", ["EE", "ee"])
def test_get_config__region_in_upper_case(region: str) -> None:
    assert configure(DEFAULT_REGION=region).default_region == "EE"


def test_get_config__sends_by_the_recommended_api() -> None:
    config = configure()
    assert (config.send_api, config.default_account) == ("omnichannel", "default")


@pytest.mark.parametrize("floor", [2, 0.1, Decimal("0.1"), 0])
def test_get_config__credit_floor_is_an_exact_amount(floor: Any) -> None:
    config_floor = configure(CREDIT_FLOOR=floor).credit_floor
    assert (type(config_floor), str(config_floor)) == (Decimal, str(floor))


NUMBERS = ("CONNECT_TIMEOUT", "READ_TIMEOUT", "TOTAL_TIMEOUT", "POLL_LEASE")
NUMBERS_OR_ZERO = ("POLL_GRACE", "POLL_GRACE_WITHOUT_CALLBACK")
INTEGERS = ("POLL_BATCH_SIZE", "POLL_CONCURRENCY")
INVALID_NUMBERS: list[Any] = ["5", -1, True, [5], math.nan, math.inf, -math.inf, 5j]
INVALID_LISTS: list[Any] = ["https://x", b"https://x", 4, {"a": 1}, {"a"}, ["a", 4], [None]]
INVALID_URLS = [
    "api2.messente.com",
    "ftp://x",
    "https://",
    "http://[",
    "https://user:secret@x",
    "https://user@x",
    "//x",
]
INVALID_ACCOUNTS: list[Any] = ["shop", ["shop"], 4, {"default": None}, {"default": "shop"}, {"default": []}]
INVALID_NAMES: list[Any] = [4, None, b"default", ("default",)]
INVALID_VALUES: list[tuple[tuple[str, ...], list[Any]]] = [
    (
        ("CALLBACK_ALLOWED_IPS",),
        [*INVALID_LISTS, [""], ["shop"], ["192.0.2.256"], ["192.0.2.1/24"], ["192.0.2.0/33"]],
    ),
    (("CALLBACK_KEYS", "API_HOSTS"), [*INVALID_LISTS, [""], ["a", ""]]),
    (("API_HOSTS",), [["https://x", url] for url in INVALID_URLS]),
    (("OMNICHANNEL_URL",), INVALID_URLS),
    (("ALLOWED_RECIPIENTS",), [*INVALID_LISTS, [""], ["*"], ["0555"], ["+372*555"], ["+37255500000 Mari"]]),
    (("OVERRIDE_RECIPIENT",), [4, ["+37255500000"], "+372*", "Mari", "+0555", "+3725550000011111"]),
    (("PREVIOUS_PASSWORDS",), INVALID_LISTS),
    (("CALLBACK_BASE_URL", "OMNICHANNEL_URL", "USERNAME", "PASSWORD"), [4, b"https://x", ["https://x"]]),
    (("STORE_TEXT", "HOLD_ON_CREDITS_EXHAUSTED"), [0, 1, "False", []]),
    (NUMBERS, [*INVALID_NUMBERS, 0]),
    (NUMBERS_OR_ZERO, INVALID_NUMBERS),
    (("CREDIT_FLOOR",), [*INVALID_NUMBERS, *map(Decimal, ("NaN", "sNaN", "Infinity", "-0.01"))]),
    (("TRUSTED_PROXY_COUNT",), [*INVALID_NUMBERS, 1.0]),
    (INTEGERS, [*INVALID_NUMBERS, 0, 2.0]),
    (("ACCOUNTS",), [*INVALID_ACCOUNTS, *({name: {"USERNAME": "shop"}} for name in INVALID_NAMES)]),
]
CASES = [(key, value) for keys, values in INVALID_VALUES for key in keys for value in values]


@pytest.mark.parametrize(("key", "value"), CASES, ids=repr)
def test_get_config__invalid_value(key: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^MESSENTE_DLR: {key} ") as raised:
        configure(**{**SECRETS, key: value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("key", "value"), [("PASSWORD", 4), ("USERNAME", b"shop"), ("PREVIOUS_PASSWORDS", "old")])
def test_get_config__invalid_value_of_account(key: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^MESSENTE_DLR: {key} ") as raised:
        configure(ACCOUNTS={"default": {**SECRETS, key: value}})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "invalid", [{"POLL_RATE": "100"}, {"USERNAME": 4}, {"ACCOUNTS": {"default": SECRETS, "b": 4}}]
)
def test_get_config__no_value_in_traceback(invalid: dict[str, Any]) -> None:
    with override_settings(MESSENTE_DLR={**SECRETS, **invalid}), pytest.raises(ImproperlyConfigured) as raised:
        conf.get_config()
    frames = [
        frame for frame, _ in traceback.walk_tb(raised.tb) if frame.f_code.co_filename.startswith(conf.__path__[0])
    ]
    assert frames
    assert "secret" not in repr([frame.f_locals for frame in frames])


def test_get_config__error_is_not_cached(settings: Any) -> None:
    settings.MESSENTE_DLR = {"ACCOUNTS": []}
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured):
            conf.get_config()
    settings.MESSENTE_DLR = {"ACCOUNTS": {}}
    assert conf.get_config() == conf.Config()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "RESEND must be a dict with the keys attempts and backoff, such as"),
        ({}, "RESEND must be a dict with the keys"),
        ({"attempts": 3}, "RESEND must be a dict with the keys"),
        ({"attempts": 3, "backoff": [60], "jitter": 1}, "RESEND must be a dict with the keys"),
        ({"attempts": 0, "backoff": [60]}, "attempts of RESEND must be a whole number above 0"),
        ({"attempts": 101, "backoff": [60]}, "attempts of RESEND must be at most 100"),
        ({"attempts": "3", "backoff": [60]}, "attempts of RESEND must be a whole number"),
        ({"attempts": 3, "backoff": 60}, "backoff of RESEND must be a list of seconds"),
        ({"attempts": 3, "backoff": []}, "backoff of RESEND must be a list of seconds"),
        ({"attempts": 3, "backoff": [60, 0]}, "each backoff of RESEND must be a number above 0"),
        ({"attempts": 3, "backoff": ["60"]}, "each backoff of RESEND must be a number"),
        ({"attempts": 3, "backoff": [1e300]}, "each backoff of RESEND must be at most a year"),
    ],
)
def test_get_config__invalid_resend(value: Any, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=text):
        configure(RESEND=value)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 300), (3, 300), (9, 300)])
def test_resend_policy__delay_before(attempt: int, seconds: int) -> None:
    policy = configure(RESEND={"attempts": 9, "backoff": [60, 300]}).resend
    assert policy is not None
    assert policy.delay_before(attempt) == timedelta(seconds=seconds)
