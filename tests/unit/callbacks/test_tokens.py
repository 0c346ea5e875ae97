"""Callback URLs: the content of a token, and the rejection of every token that was not signed here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.test import Client, override_settings
from django.urls import get_script_prefix, include, path, resolve, set_script_prefix, set_urlconf
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.callbacks import MessageKey, callback_url, message_callback_url, paths, tokens
from django_messente_dlr.callbacks.tokens import CallbackToken, read_token
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.unit.messente.storable import unhurried

LONGEST = "x" * 64
CREATED_AT = datetime(2024, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
STAMP = "hgp51pqfyio"
KEY = MessageKey(7, CREATED_AT)
VALUE = f"m7-{STAMP}.default"


def token_of(url: str) -> str:
    path = urlsplit(url).path
    assert path.startswith("/messente/dlr/")
    assert path.endswith("/")
    return path.removeprefix("/messente/dlr/").removesuffix("/")


def message_token(pk: int = 7, account: str = "default") -> str:
    return token_of(message_callback_url(MessageKey(pk, CREATED_AT), account))


def account_token(account: str = "default") -> str:
    return token_of(callback_url(account))


def configure(settings: Any, **changes: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **changes}


def signed(value: str, *, key: str | None = None, salt: str = tokens.SALT) -> str:
    return Signer(key=key, sep=".", salt=salt).sign(value)


@pytest.mark.parametrize("account", ["default", "marketing", "a", "A-b_9", "-", LONGEST])
@pytest.mark.parametrize("pk", [1, 7, 10, 2**31, 2**63 - 1])
def test_read_token__returns_message_of_url(pk: int, account: str) -> None:
    assert read_token(message_token(pk, account)) == CallbackToken(
        account=account, message_key=MessageKey(pk, CREATED_AT)
    )


@pytest.mark.parametrize("account", ["default", "marketing"])
def test_read_token__returns_account_of_url(account: str) -> None:
    assert read_token(account_token(account)) == CallbackToken(account=account)


def test_message_callback_url__resolves_to_callback_view() -> None:
    url = message_callback_url(KEY, "default")
    assert url.startswith(f"https://shop.example.com/messente/dlr/{VALUE}.")
    assert urlsplit(url).query == ""
    assert resolve(urlsplit(url).path).kwargs == {"token": message_token()}


@pytest.mark.parametrize("base", ["https://shop.example.com/", "https://shop.example.com//"])
def test_base_url__trailing_slashes_are_ignored(settings: Any, base: str) -> None:
    expected = message_callback_url(KEY, "default")
    configure(settings, CALLBACK_BASE_URL=base)
    assert message_callback_url(KEY, "default") == expected


@pytest.mark.parametrize("base", ["", None])
def test_base_url__missing_raises_improperly_configured(settings: Any, base: Any) -> None:
    configure(settings, CALLBACK_BASE_URL=base)
    with pytest.raises(ImproperlyConfigured, match="CALLBACK_BASE_URL"):
        callback_url()
    with pytest.raises(ImproperlyConfigured, match="CALLBACK_BASE_URL"):
        message_callback_url(KEY, "default")


def test_callback_url__unknown_account_raises() -> None:
    with pytest.raises(ImproperlyConfigured, match="no account 'shop'"):
        callback_url("shop")


def test_webhook_path__has_no_token() -> None:
    assert paths.webhook_path() == "/messente/dlr/"


def test_message_callback_url__unsaved_message_raises() -> None:
    with pytest.raises(ValueError, match="Save it first"):
        assert SmsMessageFactory.build().callback_url


@pytest.mark.parametrize("prefix", ["/", "/shop/", "/a b/"])
def test_urls__independent_of_script_name(prefix: str) -> None:
    expected = message_callback_url(KEY, "default"), paths.webhook_path()
    before = get_script_prefix()
    set_script_prefix(prefix)
    try:
        assert (message_callback_url(KEY, "default"), paths.webhook_path()) == expected
        assert get_script_prefix() == prefix
    finally:
        set_script_prefix(before)


def test_urls__independent_of_request_urlconf() -> None:
    expected = message_callback_url(KEY, "default"), paths.webhook_path()
    set_urlconf("tests.unit.api.urls")  # as Django does with request.urlconf
    try:
        assert (message_callback_url(KEY, "default"), paths.webhook_path()) == expected
    finally:
        set_urlconf(None)


@pytest.mark.parametrize("prefix_default_language", [True, False])
@pytest.mark.parametrize("language_code", ["en", "en-us"])
@pytest.mark.parametrize("language", ["en", "et", "de"])
def test_urls__independent_of_active_language(
    settings: Any, language: str, language_code: str, prefix_default_language: bool
) -> None:
    settings.LANGUAGE_CODE = language_code
    urls = ModuleType(f"urls_by_language_{prefix_default_language}")
    urls.urlpatterns = i18n_patterns(  # type: ignore[attr-defined]
        path("messente/", include("django_messente_dlr.urls")), prefix_default_language=prefix_default_language
    )
    settings.ROOT_URLCONF = urls
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", *settings.MIDDLEWARE]
    settings.LANGUAGES = [("en", "English"), ("et", "Estonian"), ("de", "German")]
    expected = tokens.probe_url()[0].rpartition("/dlr/")[0]
    with translation.override(language):
        url, _ = tokens.probe_url()
        assert translation.get_language() == language
    assert url.startswith(expected)
    response = Client().get(urlsplit(url).path, headers={"Accept-Language": language})
    assert response.status_code == 200


def test_callback_urls__distinct_and_stable() -> None:
    tokens = {message_token(1), message_token(2), message_token(1, "marketing"), account_token(), message_token(12)}
    assert len(tokens) == 5
    assert message_token(1) in tokens


@pytest.mark.parametrize("use_tz", [True, False])
@given(created_at=st.datetimes(max_value=datetime(4171, 1, 1)))  # noqa: DTZ001 - naive
def test_read_token__returns_exact_time(use_tz: bool, created_at: datetime) -> None:
    with override_settings(USE_TZ=use_tz):
        stored = created_at.replace(tzinfo=UTC) if use_tz else created_at
        key, later = MessageKey(7, stored), MessageKey(7, stored + timedelta(microseconds=1))
        token = token_of(message_callback_url(key, "default"))
        assert read_token(token) == CallbackToken(account="default", message_key=key)
        assert token_of(message_callback_url(later, "default")) != token


@pytest.mark.parametrize("use_tz", [True, False])
def test_message_callback_url__same_time_in_any_form(settings: Any, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    local = timezone.make_naive(CREATED_AT)
    forms = [CREATED_AT, CREATED_AT.astimezone(ZoneInfo("Asia/Kathmandu")), local, local.replace(fold=1)]
    assert len({message_callback_url(MessageKey(7, moment), "default") for moment in forms}) == 1


def test_read_token__accepts_longest_url(settings: Any) -> None:
    token = token_of(message_callback_url(MessageKey(2**63 - 1, datetime(4171, 1, 1, tzinfo=UTC)), LONGEST))
    assert len(token) <= tokens.MAX_TOKEN
    assert read_token(token) is not None


def test_read_token__signature_fits_one_value_only() -> None:
    values = {VALUE: message_token(7), f"m8-{STAMP}.default": message_token(8), "a.default": account_token()}
    values |= {f"m7-{STAMP}.marketing": message_token(7, "marketing"), "a.marketing": account_token("marketing")}
    for value in values:
        for other, token in values.items():
            forged = f"{value}.{token.rpartition('.')[2]}"
            assert (read_token(forged) is not None) is (value == other)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.swapcase(),
        lambda token: token.upper(),
        lambda token: "x" + token,
        lambda token: token.replace("m7", "m8"),
        lambda token: token.replace("m7", "m07"),
        lambda token: token.replace("m7", "a"),
        lambda token: token.replace("default", "marketing"),
        lambda token: token.replace(".", ":"),
        lambda token: token.replace(".", "%2E"),
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.rpartition(".")[2],
        lambda token: "." + token.rpartition(".")[2],
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token + "\0",
        lambda token: token.replace("7", "\u0667"),
        lambda token: token.replace("m", "\uff4d"),
        lambda token: token + "/",
        lambda token: token + "?",
        lambda token: token * 2,
    ],
)
def test_read_token__tampered_token_is_none(tamper: Any) -> None:
    token = message_token()
    assert read_token(token) is not None
    assert read_token(tamper(token)) is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "m7.default", "x" * 201, "x" * 1_000_000, "õ", "\ud800", "\0", "m7.default.õ", "💥" * 50]
)
def test_read_token__invalid_token_is_none(token: str) -> None:
    assert read_token(token) is None


@unhurried
@given(token=st.text(st.characters(exclude_categories=())))
def test_read_token__any_text_is_none(token: str) -> None:
    assert read_token(token) is None


def test_read_token__signed_but_too_long_is_none() -> None:
    assert read_token(signed(f"a.{'x' * 200}")) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "default",
        "m7",
        "m7.",
        "m.default",
        "m7.default",
        "m7-.default",
        f"m-{STAMP}.default",
        f"m0-{STAMP}.default",
        f"m07-{STAMP}.default",
        f"m-7-{STAMP}.default",
        f"m+7-{STAMP}.default",
        f"mNone-{STAMP}.default",
        f"m{'9' * 20}-{STAMP}.default",
        f"m7-{STAMP.upper()}.default",
        f"m7-{'z' * 12}.default",
        f"m7-+{STAMP[1:]}.default",
        "a.",
        f"a.{'x' * 65}",
        "a.de fault",
        "a.default.marketing",
        "a.default\n",
        "b.default",
        "A.default",
        "a7.default",
    ],
)
def test_read_token__signed_malformed_value_is_none(value: str) -> None:
    assert read_token(signed(value)) is None


def test_read_token__other_salt_or_key_is_none() -> None:
    assert read_token(signed(VALUE)) == CallbackToken(account="default", message_key=KEY)
    assert read_token(signed(VALUE, salt="django.core.signing.Signer")) is None
    assert read_token(signed(VALUE, salt="")) is None
    assert read_token(signed(VALUE, key="another key")) is None


class TestKeyRotation:
    def test_callback_keys__replace_secret_key(self, settings: Any) -> None:
        old = message_token()
        configure(settings, CALLBACK_KEYS=["first"])
        assert message_token() == signed(VALUE, key="first") != old
        assert read_token(message_token()) is not None
        assert read_token(old) is None

    def test_callback_keys__first_signs_and_all_verify(self, settings: Any) -> None:
        configure(settings, CALLBACK_KEYS=["old"])
        old = message_token()
        configure(settings, CALLBACK_KEYS=["new", "old"])
        assert message_token() == signed(VALUE, key="new")
        assert read_token(old) == CallbackToken(account="default", message_key=KEY)
        configure(settings, CALLBACK_KEYS=["newest", "new"])
        assert read_token(old) is None

    def test_secret_key__signs_and_fallbacks_verify(self, settings: Any) -> None:
        old = message_token()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a newer secret key"
        assert message_token() != old
        assert read_token(message_token()) == read_token(old) == CallbackToken(account="default", message_key=KEY)
        settings.SECRET_KEY_FALLBACKS = []
        assert read_token(old) is None

    def test_secret_key__not_used_with_callback_keys(self, settings: Any) -> None:
        configure(settings, CALLBACK_KEYS=["first"])
        settings.SECRET_KEY_FALLBACKS = ["a fallback"]
        assert read_token(signed(VALUE, key=settings.SECRET_KEY)) is None
        assert read_token(signed(VALUE, key="a fallback")) is None

    def test_secret_key__bytes_are_accepted(self, settings: Any) -> None:
        settings.SECRET_KEY = b"a secret key in bytes"
        settings.SECRET_KEY_FALLBACKS = [b"an older one"]
        assert read_token(message_token()) is not None

    @pytest.mark.parametrize("keys", [[""], ["", "old"], ["new", ""]])
    def test_callback_keys__empty_key_raises(self, settings: Any, keys: list[str]) -> None:
        configure(settings, CALLBACK_KEYS=keys)
        with pytest.raises(ImproperlyConfigured, match="CALLBACK_KEYS"):
            read_token("m7.default.x")
