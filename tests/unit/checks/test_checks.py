"""The system checks: every mistake has its id, and what is right has none."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from django_messente_dlr.checks import check_callback_url, check_deployment, check_settings

ACCOUNT = {"USERNAME": "shop", "PASSWORD": "a-secret-password"}
OTHER = {"USERNAME": "news", "PASSWORD": "a-secret-of-its-own"}
THIRD = {"USERNAME": "more", "PASSWORD": "a-secret-of-more"}
LONG = "a secret key that is as long as keys should be"
BASE = {"CALLBACK_BASE_URL": "https://shop.example.com"}
RIGHT = {**ACCOUNT, **BASE}
OURS = "django_messente_dlr."


def messages() -> list[CheckMessage]:
    return [*check_settings(None), *check_callback_url(None), *check_deployment(None)]


def ids(found: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix(OURS) for message in found]


RIGHTS: dict[str, dict[str, Any]] = {
    "one account": RIGHT,
    "several accounts": {
        "ACCOUNTS": {
            "default": ACCOUNT,
            "A-b_9": {**OTHER, "PREVIOUS_PASSWORDS": ["a-secret-that-is-old"]},
            "x" * 64: THIRD,
        },
        "CALLBACK_BASE_URL": "https://shop.example.com/",
    },
    "everything": {
        **RIGHT,
        "PREVIOUS_PASSWORDS": [],
        "CALLBACK_KEYS": [LONG],
        "CALLBACK_ALLOWED_IPS": ["192.0.2.0/24"],
        "TRUSTED_PROXY_COUNT": 1,
        "STORE_TEXT": True,
        "HOLD_ON_CREDITS_EXHAUSTED": False,
        "API_HOSTS": ["https://sms.example.com"],
        "OMNICHANNEL_URL": "https://omni.example.com/v1",
        "CONNECT_TIMEOUT": 1,
        "READ_TIMEOUT": 1.5,
        "POLL_GRACE": 0,
        "POLL_GRACE_WITHOUT_CALLBACK": 0,
        "POLL_LEASE": 1,
        "POLL_BATCH_SIZE": 1,
        "POLL_CONCURRENCY": 1,
    },
    "https in capitals": {**RIGHT, "CALLBACK_BASE_URL": "HTTPS://shop.example.com"},
    "ACCOUNTS left out by None": {**RIGHT, "ACCOUNTS": None},
}
WRONGS: dict[str, tuple[dict[Any, Any], list[str]]] = {
    "an unknown key": ({**RIGHT, "STORE_TEXTS": True}, ["W001"]),
    "two unknown keys": ({**RIGHT, "STORE_TEXTS": True, 5: 5}, ["W001", "W001"]),
    "a key in lower case": ({**RIGHT, "store_text": True}, ["W001"]),
    "a key of an account that nothing reads": (
        {**RIGHT, "ACCOUNTS": {"default": {**ACCOUNT, "PREVIOUS_PASSWORD": "old"}}, "USERNAME": None},
        ["W001", "W001", "W001"],
    ),
    "an account beside ACCOUNTS": (
        {"ACCOUNTS": {"default": ACCOUNT}, "CALLBACK_BASE_URL": "https://shop.example.com", "PASSWORD": "a-secret"},
        ["W001"],
    ),
    "no base": (ACCOUNT, ["W002"]),
    "a base that is not https": ({**RIGHT, "CALLBACK_BASE_URL": "http://shop.example.com"}, ["W003"]),
    **{
        f"a base like {base!r}": ({**RIGHT, "CALLBACK_BASE_URL": base}, ["E007"])
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
    "a base that only this machine reaches": ({**RIGHT, "CALLBACK_BASE_URL": "https://127.0.0.1:8000"}, ["W005"]),
    "a base of a host that is not allowed": ({**RIGHT, "CALLBACK_BASE_URL": "https://example.org"}, ["W006"]),
    "a short callback key": ({**RIGHT, "CALLBACK_KEYS": [LONG, "a-secret"]}, ["W007"]),
    "a callback key of one letter": ({**RIGHT, "CALLBACK_KEYS": ["x" * 50]}, ["W007"]),
    "hosts that are not https": (
        {**RIGHT, "API_HOSTS": ["https://a.example", "http://b.example"], "OMNICHANNEL_URL": "http://c.example/v1"},
        ["W010", "W010"],
    ),
    "an allow-list that is none": ({**RIGHT, "CALLBACK_ALLOWED_IPS": ["shop"]}, ["E001"]),
    "two accounts with one password": (
        {"ACCOUNTS": {"a": ACCOUNT, "b": {**OTHER, "PREVIOUS_PASSWORDS": [ACCOUNT["PASSWORD"]]}}, **BASE},
        ["W004"],
    ),
    "ACCOUNTS that is no dict": ({**RIGHT, "ACCOUNTS": ["default"]}, ["W001", "W001", "E001"]),
    "an account that is no dict": ({"ACCOUNTS": {"default": "shop"}}, ["E001"]),
    "an account without a name": ({"ACCOUNTS": {None: ACCOUNT}}, ["E001"]),
    "a bare string for a list": ({**RIGHT, "API_HOSTS": "https://api2.messente.com"}, ["E001"]),
    "a password that is no string": ({**RIGHT, "PASSWORD": 4}, ["E001"]),
    "a base that is no string": ({**RIGHT, "CALLBACK_BASE_URL": 4}, ["E001"]),
    "a time-out that is no number": ({**RIGHT, "READ_TIMEOUT": "10"}, ["E001"]),
    "an empty callback key": ({**RIGHT, "CALLBACK_KEYS": [""]}, ["E001"]),
    "a mistake and an unknown key": ({**RIGHT, "READ_TIMEOUT": "10", "X": 1}, ["W001", "E001"]),
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
    "an empty password": ({**RIGHT, "PASSWORD": ""}, ["E005"]),
    "a password that the environment does not have": ({**RIGHT, "PASSWORD": None}, ["E005"]),
    "two accounts without credentials": (
        {"ACCOUNTS": {"default": {}, "marketing": {}}, "CALLBACK_BASE_URL": "https://shop.example.com"},
        ["E005", "E005"],
    ),
}


@pytest.mark.parametrize("written", RIGHTS.values(), ids=RIGHTS)
def test_what_is_right_is_not_complained_of(settings: Any, written: dict[str, Any]) -> None:
    settings.MESSENTE_DLR = written
    assert messages() == []


@pytest.mark.parametrize(("written", "expected"), WRONGS.values(), ids=WRONGS)
def test_each_mistake_has_its_id_a_sentence_and_a_hint(
    settings: Any, written: dict[str, Any], expected: list[str]
) -> None:
    settings.MESSENTE_DLR = written
    found = messages()
    assert ids(found) == expected
    for message in found:
        assert str(message.id).startswith(OURS)
        assert str(message.msg).endswith(".")
        assert message.hint
        assert message.is_serious() is str(message.id).startswith(f"{OURS}E")
        assert "a-secret" not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize("written", [None, [], "shop"])
def test_settings_that_are_no_dict_are_an_error(settings: Any, written: Any) -> None:
    settings.MESSENTE_DLR = written
    assert ids(messages()) == ["E006", "W002"]


@pytest.mark.parametrize("name", ["MESSENTE", "MESSENTE_DRL", "MESENTE_DLR"])
def test_a_setting_that_looks_as_if_ours_was_meant_is_named(settings: Any, name: str) -> None:
    settings.MESSENTE_DLR = {}
    del settings.MESSENTE_DLR
    setattr(settings, name, RIGHT)
    error = check_settings(None)[0]
    assert ids([error]) == ["E002"]
    assert f"There is a setting {name}: did you mean MESSENTE_DLR?" in str(error.hint)


@pytest.mark.parametrize(("key", "meant"), [("CALBACK_BASE_URL", "CALLBACK_BASE_URL"), ("store_text", "STORE_TEXT")])
def test_a_key_that_is_misspelt_is_answered_with_the_one_that_was_meant(settings: Any, key: str, meant: str) -> None:
    settings.MESSENTE_DLR = {**RIGHT, key: 1}
    assert str(check_settings(None)[0].hint).startswith(f"Did you mean {meant}? ")


@pytest.mark.parametrize(
    ("written", "also", "expected"),
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
def test_what_other_settings_do_to_callbacks_is_seen(
    settings: Any, written: dict[str, Any], also: dict[str, Any], expected: list[str]
) -> None:
    settings.MESSENTE_DLR = {**RIGHT, **written}
    for name, value in also.items():
        setattr(settings, name, value)
    assert ids(messages()) == expected


def test_no_setting_has_no_account(settings: Any) -> None:
    settings.MESSENTE_DLR = {}  # Django tells nobody of a setting that is deleted, but of this, now and afterwards
    del settings.MESSENTE_DLR
    assert ids(messages()) == ["E002", "W002"]


def test_a_wrong_value_of_one_account_among_several_is_named_with_it(settings: Any) -> None:
    settings.MESSENTE_DLR = {
        "ACCOUNTS": {"default": ACCOUNT, "marketing": {**OTHER, "PREVIOUS_PASSWORDS": "a-secret"}}
    }
    (error,) = check_settings(None)
    assert "PREVIOUS_PASSWORDS of account «marketing» must be" in error.msg


def test_a_key_is_named_with_those_that_there_are(settings: Any) -> None:
    settings.MESSENTE_DLR = {"ACCOUNTS": {"default": {**ACCOUNT, "PASSWORDS": []}}, "STORE_TEXTS": True}
    setting, account = check_settings(None)
    assert "«STORE_TEXTS»" in setting.msg
    assert " STORE_TEXT," in str(setting.hint)
    assert "USERNAME" not in str(setting.hint)
    assert "«default»" in account.msg
    assert "PASSWORD, PREVIOUS_PASSWORDS, USERNAME" in str(account.hint)


def test_a_callback_view_without_a_url_is_an_error(settings: Any) -> None:
    urls = ModuleType("urls_without_ours")
    urls.urlpatterns = []  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    assert ids(check_callback_url(None)) == ["E003"]


@pytest.mark.django_db  # Django 6.1 asks the database whether it has JSON
class TestManage:
    def check(self, **options: Any) -> str:
        told = io.StringIO()
        call_command("check", stderr=told, stdout=told, **options)
        return told.getvalue()

    def test_check_is_content_with_what_is_right(self, settings: Any) -> None:
        settings.MESSENTE_DLR = RIGHT
        assert OURS not in self.check(deploy=True)

    def test_check_fails_for_an_error(self, settings: Any) -> None:
        settings.MESSENTE_DLR = {"CALLBACK_BASE_URL": "https://shop.example.com"}
        with pytest.raises(SystemCheckError, match=r"E002[^\n]*\n\s*HINT: Write MESSENTE_DLR"):
            self.check()

    def test_check_tells_of_http_only_where_the_site_is_deployed(self, settings: Any) -> None:
        settings.MESSENTE_DLR = {**RIGHT, "CALLBACK_BASE_URL": "http://shop.example.com"}
        assert f"{OURS}W003" not in self.check()
        assert f"{OURS}W003" in self.check(deploy=True)

    @pytest.mark.parametrize(("tag", "id_"), [("security", "W001"), ("urls", "W002")])
    def test_the_checks_are_found_by_their_tags(self, settings: Any, tag: str, id_: str) -> None:
        settings.MESSENTE_DLR = {**ACCOUNT, "STORE_TEXTS": True}
        assert f"{OURS}{id_}" in self.check(tags=[tag])


def test_checking_changes_nothing() -> None:
    before = repr(django_settings.MESSENTE_DLR)
    messages()
    assert repr(django_settings.MESSENTE_DLR) == before
