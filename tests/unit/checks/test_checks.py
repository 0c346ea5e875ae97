"""The system checks: each mistake has its id, and correct settings have no message."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from django_messente_dlr.checks import check_callback_url, check_deployment, check_rest_api, check_settings

ACCOUNT = {"USERNAME": "shop", "PASSWORD": "a-secret-password"}
OTHER = {"USERNAME": "news", "PASSWORD": "a-secret-of-its-own"}
THIRD = {"USERNAME": "more", "PASSWORD": "a-secret-of-more"}
LONG = "a secret key that is as long as keys should be"
BASE = {"CALLBACK_BASE_URL": "https://shop.example.com"}
VALID = {**ACCOUNT, **BASE}
PREFIX = "django_messente_dlr."


def run_all_checks() -> list[CheckMessage]:
    return [*check_settings(None), *check_callback_url(None), *check_rest_api(None), *check_deployment(None)]


def ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix(PREFIX) for message in messages]


VALID_SETTINGS: dict[str, dict[str, Any]] = {
    "one account": VALID,
    "several accounts": {
        "ACCOUNTS": {
            "default": ACCOUNT,
            "A-b_9": {**OTHER, "PREVIOUS_PASSWORDS": ["a-secret-that-is-old"]},
            "x" * 64: THIRD,
        },
        "CALLBACK_BASE_URL": "https://shop.example.com/",
    },
    "everything": {
        **VALID,
        "PREVIOUS_PASSWORDS": [],
        "CALLBACK_KEYS": [LONG],
        "CALLBACK_ALLOWED_IPS": ["192.0.2.0/24"],
        "TRUSTED_PROXY_COUNT": 1,
        "SEND_API": "sms",
        "DEFAULT_ACCOUNT": "default",
        "BACKEND": "django_messente_dlr.backends.messente.Backend",
        "STORE_TEXT": True,
        "HOLD_ON_CREDITS_EXHAUSTED": False,
        "API_HOSTS": ["https://sms.example.com"],
        "OMNICHANNEL_URL": "https://omni.example.com/v1",
        "CONNECT_TIMEOUT": 1,
        "READ_TIMEOUT": 1.5,
        "TOTAL_TIMEOUT": 1.5,
        "POLL_GRACE": 0,
        "POLL_GRACE_WITHOUT_CALLBACK": 0,
        "POLL_LEASE": 1,
        "POLL_BATCH_SIZE": 1,
        "POLL_CONCURRENCY": 1,
    },
    "https in capitals": {**VALID, "CALLBACK_BASE_URL": "HTTPS://shop.example.com"},
    "ACCOUNTS left out by None": {**VALID, "ACCOUNTS": None},
}
INVALID_SETTINGS: dict[str, tuple[dict[Any, Any], list[str]]] = {
    "an unknown key": ({**VALID, "STORE_TEXTS": True}, ["W001"]),
    "two unknown keys": ({**VALID, "STORE_TEXTS": True, 5: 5}, ["W001", "W001"]),
    "a key in lower case": ({**VALID, "store_text": True}, ["W001"]),
    "an unknown key of an account": (
        {**VALID, "ACCOUNTS": {"default": {**ACCOUNT, "PREVIOUS_PASSWORD": "old"}}, "USERNAME": None},
        ["W001", "W001", "W001"],
    ),
    "an account beside ACCOUNTS": (
        {"ACCOUNTS": {"default": ACCOUNT}, "CALLBACK_BASE_URL": "https://shop.example.com", "PASSWORD": "a-secret"},
        ["W001"],
    ),
    "a default account that does not exist": ({**VALID, "DEFAULT_ACCOUNT": "shop"}, ["E011"]),
    "a backend that cannot be imported": ({**VALID, "BACKEND": "shop.sms.Backend"}, ["E012"]),
    "a backend that is none": ({**VALID, "BACKEND": "decimal.Decimal"}, ["E012"]),
    "an override that is not allowed": (
        {**VALID, "OVERRIDE_RECIPIENT": "+37255500000", "ALLOWED_RECIPIENTS": ["+37256*"]},
        ["E013", "W017", "W017"],
    ),
    "the console's backend": ({**VALID, "BACKEND": "django_messente_dlr.backends.console.Backend"}, ["W016"]),
    "no allowed recipient": ({**VALID, "ALLOWED_RECIPIENTS": []}, ["W017"]),
    "an override that is allowed": (
        {**VALID, "OVERRIDE_RECIPIENT": "+372 555 00000", "ALLOWED_RECIPIENTS": ["+37255*"]},
        ["W017", "W017"],
    ),
    "an allowed recipient that is no number": ({**VALID, "ALLOWED_RECIPIENTS": ["Mari"]}, ["E001"]),
    "an unknown API": ({**VALID, "SEND_API": "smpp"}, ["E001"]),
    "the hosts of one API": ({**VALID, "API_HOSTS": ["https://sms.example.com"]}, ["W015"]),
    "no base": (ACCOUNT, ["W002"]),
    "a base that is not https": ({**VALID, "CALLBACK_BASE_URL": "http://shop.example.com"}, ["W003"]),
    **{
        f"a base like {base!r}": ({**VALID, "CALLBACK_BASE_URL": base}, ["E007"])
        for base in (
            "shop.example.com",
            "//shop.example.com",
            "https://",
            "ftp://shop.example.com",
            "https://shop.example.com?x=y",
            "https://shop.example.com#x",
            "https://user:a-secret@shop.example.com",
            "https://shop.example.com:99999",
            "https://[shop.example.com",
            "https://shop.example.com ",
        )
    },
    "a base with a local address": ({**VALID, "CALLBACK_BASE_URL": "https://127.0.0.1:8000"}, ["W005"]),
    "a base with a host that is not allowed": ({**VALID, "CALLBACK_BASE_URL": "https://example.org"}, ["W006"]),
    "a short callback key": ({**VALID, "CALLBACK_KEYS": [LONG, "a-secret"]}, ["W007"]),
    "a callback key of one repeated letter": ({**VALID, "CALLBACK_KEYS": ["x" * 50]}, ["W007"]),
    "hosts that are not https": (
        {**VALID, "API_HOSTS": ["https://a.example", "http://b.example"], "OMNICHANNEL_URL": "http://c.example/v1"},
        ["W010", "W010"],
    ),
    "an allow-list without an address": ({**VALID, "CALLBACK_ALLOWED_IPS": ["shop"]}, ["E001"]),
    "two accounts with one password": (
        {"ACCOUNTS": {"a": ACCOUNT, "b": {**OTHER, "PREVIOUS_PASSWORDS": [ACCOUNT["PASSWORD"]]}}, **BASE},
        ["W004"],
    ),
    "ACCOUNTS that is a list": ({**VALID, "ACCOUNTS": ["default"]}, ["W001", "W001", "E001"]),
    "an account that is a string": ({"ACCOUNTS": {"default": "shop"}}, ["E001"]),
    "an account without a name": ({"ACCOUNTS": {None: ACCOUNT}}, ["E001"]),
    "a string in place of a list": ({**VALID, "API_HOSTS": "https://api2.messente.com"}, ["E001"]),
    "a password that is a number": ({**VALID, "PASSWORD": 4}, ["E001"]),
    "a base that is a number": ({**VALID, "CALLBACK_BASE_URL": 4}, ["E001"]),
    "a time-out that is a string": ({**VALID, "READ_TIMEOUT": "10"}, ["E001"]),
    "a total time-out of zero": ({**VALID, "TOTAL_TIMEOUT": 0}, ["E001"]),
    "a total time-out below another": ({**VALID, "READ_TIMEOUT": 60}, ["W014"]),
    "a total time-out below both others": ({**VALID, "TOTAL_TIMEOUT": 1}, ["W014", "W014"]),
    "an empty callback key": ({**VALID, "CALLBACK_KEYS": [""]}, ["E001"]),
    "a mistake and an unknown key": ({**VALID, "READ_TIMEOUT": "10", "X": 1}, ["W001", "E001"]),
    "nothing": ({}, ["E002", "W002"]),
    "no account": ({"CALLBACK_BASE_URL": "https://shop.example.com"}, ["E002"]),
    "no account in ACCOUNTS": ({"ACCOUNTS": {}, "CALLBACK_BASE_URL": "https://shop.example.com"}, ["E002"]),
    **{
        f"an account called {name!r}": (
            {"ACCOUNTS": {name: ACCOUNT}, "CALLBACK_BASE_URL": "https://shop.example.com"},
            ["E004"],
        )
        for name in ("", "a b", "a/b", "a.b", "õ", "x" * 65, "a\n", "%", "\u0664")
    },
    "no password": ({"USERNAME": "shop", "CALLBACK_BASE_URL": "https://shop.example.com"}, ["E005"]),
    "no user name": ({"PASSWORD": "a-secret-password", "CALLBACK_BASE_URL": "https://shop.example.com"}, ["E005"]),
    "an empty password": ({**VALID, "PASSWORD": ""}, ["E005"]),
    "a password that is None": ({**VALID, "PASSWORD": None}, ["E005"]),
    "two accounts without credentials": (
        {"ACCOUNTS": {"default": {}, "marketing": {}}, "CALLBACK_BASE_URL": "https://shop.example.com"},
        ["E005", "E005"],
    ),
}


@pytest.mark.parametrize("values", VALID_SETTINGS.values(), ids=VALID_SETTINGS)
def test_checks__valid_settings(settings: Any, values: dict[str, Any]) -> None:
    settings.MESSENTE_DLR = values
    assert run_all_checks() == []


@pytest.mark.parametrize(("values", "expected"), INVALID_SETTINGS.values(), ids=INVALID_SETTINGS)
def test_checks__invalid_settings(settings: Any, values: dict[str, Any], expected: list[str]) -> None:
    settings.MESSENTE_DLR = values
    messages = run_all_checks()
    assert ids(messages) == expected
    for message in messages:
        assert str(message.id).startswith(PREFIX)
        assert str(message.msg).endswith(".")
        assert message.hint
        assert message.is_serious() is str(message.id).startswith(f"{PREFIX}E")
        assert "a-secret" not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize("values", [None, [], "shop"])
def test_check_settings__not_a_dictionary(settings: Any, values: Any) -> None:
    settings.MESSENTE_DLR = values
    assert ids(run_all_checks()) == ["E006", "W002"]


@pytest.mark.parametrize("name", ["MESSENTE", "MESSENTE_DRL", "MESENTE_DLR"])
def test_check_settings__misspelt_setting(settings: Any, name: str) -> None:
    settings.MESSENTE_DLR = {}
    del settings.MESSENTE_DLR
    setattr(settings, name, VALID)
    error = check_settings(None)[0]
    assert ids([error]) == ["E002"]
    assert f"There is a setting {name}: did you mean MESSENTE_DLR?" in str(error.hint)


@pytest.mark.parametrize(
    ("key", "suggestion"), [("CALBACK_BASE_URL", "CALLBACK_BASE_URL"), ("store_text", "STORE_TEXT")]
)
def test_check_settings__misspelt_key(settings: Any, key: str, suggestion: str) -> None:
    settings.MESSENTE_DLR = {**VALID, key: 1}
    assert str(check_settings(None)[0].hint).startswith(f"Did you mean {suggestion}? ")


@pytest.mark.parametrize(
    ("values", "project_settings", "expected"),
    [
        ({"CALLBACK_BASE_URL": "http://shop.example.com"}, {"SECURE_SSL_REDIRECT": True}, ["W003", "E008"]),
        ({}, {"SECURE_SSL_REDIRECT": True}, []),
        (
            {"CALLBACK_BASE_URL": "http://shop.example.com"},
            {"SECURE_SSL_REDIRECT": True, "SECURE_REDIRECT_EXEMPT": [r"^shop/", r"^messente/dlr/"]},
            ["W003"],
        ),
        (
            {"CALLBACK_BASE_URL": "http://shop.example.com"},
            {"SECURE_SSL_REDIRECT": True, "SECURE_REDIRECT_EXEMPT": [r"^dlr/"]},
            ["W003", "E008"],
        ),
        ({}, {"FORCE_SCRIPT_NAME": "/shop"}, ["W012"]),
        ({"CALLBACK_BASE_URL": "https://shop.example.com/shop/"}, {"FORCE_SCRIPT_NAME": "/shop"}, []),
        ({"CALLBACK_BASE_URL": "https://shop.example.com/shop"}, {}, []),
        ({"CALLBACK_BASE_URL": "https://shop.example.com/shop/messente/"}, {}, ["W012"]),
        ({}, {"PREPEND_WWW": True}, ["E009"]),
        ({}, {"ALLOWED_HOSTS": [".example.com"]}, []),
        ({}, {"ALLOWED_HOSTS": ["example.com"]}, ["W006"]),
        ({"CALLBACK_ALLOWED_IPS": ["192.0.2.7"]}, {}, []),
        ({"CALLBACK_ALLOWED_IPS": ["192.0.2.7"]}, {"USE_X_FORWARDED_HOST": True}, ["W011"]),
        ({"CALLBACK_ALLOWED_IPS": ["192.0.2.7"]}, {"SECURE_PROXY_SSL_HEADER": ("HTTP_X", "https")}, ["W011"]),
        ({"CALLBACK_ALLOWED_IPS": ["192.0.2.7"], "TRUSTED_PROXY_COUNT": 1}, {"USE_X_FORWARDED_HOST": True}, []),
    ],
)
def test_checks__other_settings_of_the_project(
    settings: Any, values: dict[str, Any], project_settings: dict[str, Any], expected: list[str]
) -> None:
    settings.MESSENTE_DLR = {**VALID, **values}
    for name, value in project_settings.items():
        setattr(settings, name, value)
    assert ids(run_all_checks()) == expected


ASGI = "config.asgi.application"


@pytest.mark.parametrize(
    ("application", "database", "expected"),
    [
        (ASGI, {"CONN_MAX_AGE": None}, ["W013"]),
        (ASGI, {"CONN_MAX_AGE": 60}, ["W013"]),
        (ASGI, {"CONN_MAX_AGE": 0}, []),
        (ASGI, {"CONN_MAX_AGE": None, "OPTIONS": {"pool": {"max_size": 4}}}, []),  # Django refuses these two together
        (ASGI, {"CONN_MAX_AGE": None, "OPTIONS": {"pool": False}}, ["W013"]),
        (None, {"CONN_MAX_AGE": None}, []),
    ],
)
def test_check_deployment__persistent_connections(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    application: str | None,
    database: dict[str, Any],
    expected: list[str],
) -> None:
    settings.MESSENTE_DLR = VALID
    settings.ASGI_APPLICATION = application
    for name, value in database.items():
        monkeypatch.setitem(settings.DATABASES["default"], name, value)
    assert ids(check_deployment(None)) == expected


class OtherDatabase:
    """A database router that keeps the tables of this app elsewhere."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "reports"

    db_for_write = db_for_read


def test_check_deployment__other_database_has_persistent_connections(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MESSENTE_DLR = VALID
    settings.ASGI_APPLICATION = ASGI
    settings.DATABASE_ROUTERS = [OtherDatabase()]
    monkeypatch.setitem(settings.DATABASES["default"], "CONN_MAX_AGE", None)
    assert ids(check_deployment(None)) == []
    monkeypatch.setitem(settings.DATABASES, "reports", {"CONN_MAX_AGE": 60})
    (warning,) = check_deployment(None)
    assert "'reports'" in warning.msg


def test_check_settings__missing_setting(settings: Any) -> None:
    settings.MESSENTE_DLR = {}  # Django sends setting_changed for this, but not for a deletion
    del settings.MESSENTE_DLR
    assert ids(run_all_checks()) == ["E002", "W002"]


def test_check_settings__invalid_value_of_one_account(settings: Any) -> None:
    settings.MESSENTE_DLR = {
        "ACCOUNTS": {"default": ACCOUNT, "marketing": {**OTHER, "PREVIOUS_PASSWORDS": "a-secret"}}
    }
    (error,) = check_settings(None)
    assert "PREVIOUS_PASSWORDS of account 'marketing' must be" in error.msg


def test_check_settings__unknown_keys(settings: Any) -> None:
    settings.MESSENTE_DLR = {"ACCOUNTS": {"default": {**ACCOUNT, "PASSWORDS": []}}, "STORE_TEXTS": True}
    setting, account = check_settings(None)
    assert "'STORE_TEXTS'" in setting.msg
    assert " STORE_TEXT," in str(setting.hint)
    assert "USERNAME" not in str(setting.hint)
    assert "'default'" in account.msg
    assert "PASSWORD, PREVIOUS_PASSWORDS, USERNAME" in str(account.hint)


def test_check_callback_url__no_url(settings: Any) -> None:
    urls = ModuleType("urls_without_the_app")
    urls.urlpatterns = []  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    assert ids(check_callback_url(None)) == ["E003"]


@pytest.mark.urls("tests.unit.api.urls")
@pytest.mark.parametrize(
    "missing", [[], ["rest_framework"], ["django_filters"], ["rest_framework", "django_filters"]]
)
def test_check_rest_api__missing_apps(settings: Any, missing: list[str]) -> None:
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name not in missing]
    errors = check_rest_api(None)
    assert ids(errors) == ["E010"] * len(missing)
    assert [error.msg for error in errors] == [f"The REST API needs '{name}' in INSTALLED_APPS." for name in missing]


def test_check_rest_api__no_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = None
    assert check_rest_api(None) == []


@pytest.mark.django_db  # Django 6.1 queries the database for its support of JSON
class TestCheckCommand:
    def check(self, **options: Any) -> str:
        output = io.StringIO()
        call_command("check", stderr=output, stdout=output, **options)
        return output.getvalue()

    def test_check__valid_settings(self, settings: Any) -> None:
        settings.MESSENTE_DLR = VALID
        assert PREFIX not in self.check(deploy=True)

    def test_check__error(self, settings: Any) -> None:
        settings.MESSENTE_DLR = {"CALLBACK_BASE_URL": "https://shop.example.com"}
        with pytest.raises(SystemCheckError, match=r"E002[^\n]*\n\s*HINT: Write MESSENTE_DLR"):
            self.check()

    def test_check__http_only_with_deploy(self, settings: Any) -> None:
        settings.MESSENTE_DLR = {**VALID, "CALLBACK_BASE_URL": "http://shop.example.com"}
        assert f"{PREFIX}W003" not in self.check()
        assert f"{PREFIX}W003" in self.check(deploy=True)

    @pytest.mark.parametrize(("tag", "id_"), [("security", "W001"), ("urls", "W002")])
    def test_check__tags(self, settings: Any, tag: str, id_: str) -> None:
        settings.MESSENTE_DLR = {**ACCOUNT, "STORE_TEXTS": True}
        assert f"{PREFIX}{id_}" in self.check(tags=[tag])


def test_checks__leave_settings_unchanged() -> None:
    before = repr(django_settings.MESSENTE_DLR)
    run_all_checks()
    assert repr(django_settings.MESSENTE_DLR) == before
