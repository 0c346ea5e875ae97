"""The signed ``dlr-url``: what a token speaks for, and that nobody else can make one."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.test import Client
from django.urls import get_script_prefix, include, path, resolve, set_script_prefix, set_urlconf
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.callbacks import callback_url, message_callback_url, tokens
from django_messente_dlr.callbacks.tokens import CallbackToken, read_token
from django_messente_dlr.testing.factories import SmsMessageFactory
from tests.unit.messente.storable import unhurried

LONGEST = "x" * 64


def token_of(url: str) -> str:
    path = urlsplit(url).path
    assert path.startswith("/messente/dlr/")
    assert path.endswith("/")
    return path.removeprefix("/messente/dlr/").removesuffix("/")


def message_token(pk: int = 7, account: str = "default") -> str:
    return token_of(message_callback_url(pk, account))


def account_token(account: str = "default") -> str:
    return token_of(callback_url(account))


def configure(settings: Any, **changes: Any) -> None:
    settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, **changes}


def signed(value: str, *, key: str | None = None, salt: str = tokens.SALT) -> str:
    return Signer(key=key, sep=".", salt=salt).sign(value)


@pytest.mark.parametrize("account", ["default", "marketing", "a", "A-b_9", "-", LONGEST])
@pytest.mark.parametrize("pk", [1, 7, 10, 2**31, 2**63 - 1])
def test_a_messages_url_speaks_for_that_message(pk: int, account: str) -> None:
    assert read_token(message_token(pk, account)) == CallbackToken(account=account, message_pk=pk)


@pytest.mark.parametrize("account", ["default", "marketing"])
def test_an_accounts_url_speaks_for_that_account(account: str) -> None:
    assert read_token(account_token(account)) == CallbackToken(account=account, message_pk=None)


def test_the_url_stands_under_the_base_and_leads_to_the_callback_view() -> None:
    url = message_callback_url(7, "default")
    assert url.startswith("https://shop.example.com/messente/dlr/m7.default.")
    assert urlsplit(url).query == ""
    assert resolve(urlsplit(url).path).kwargs == {"token": message_token()}


@pytest.mark.parametrize("base", ["https://shop.example.com/", "https://shop.example.com//"])
def test_a_slash_at_the_end_of_the_base_does_not_matter(settings: Any, base: str) -> None:
    expected = message_callback_url(7, "default")
    configure(settings, CALLBACK_BASE_URL=base)
    assert message_callback_url(7, "default") == expected


@pytest.mark.parametrize("base", ["", None])
def test_without_a_base_there_is_no_url_and_the_error_says_what_to_set(settings: Any, base: Any) -> None:
    configure(settings, CALLBACK_BASE_URL=base)
    with pytest.raises(ImproperlyConfigured, match="CALLBACK_BASE_URL"):
        callback_url()
    with pytest.raises(ImproperlyConfigured, match="CALLBACK_BASE_URL"):
        message_callback_url(7, "default")


def test_an_account_that_is_not_configured_has_no_url() -> None:
    with pytest.raises(ImproperlyConfigured, match="no account 'shop'"):
        callback_url("shop")


def test_the_webhook_has_no_token() -> None:
    assert tokens.webhook_path() == "/messente/dlr/"


def test_a_message_that_is_not_saved_has_no_url_yet() -> None:
    with pytest.raises(ValueError, match="Save it first"):
        assert SmsMessageFactory.build().callback_url


@pytest.mark.parametrize("prefix", ["/", "/shop/", "/a b/"])
def test_a_process_that_is_served_under_a_prefix_makes_the_same_urls(prefix: str) -> None:
    expected = message_callback_url(7, "default"), tokens.webhook_path()
    before = get_script_prefix()
    set_script_prefix(prefix)
    try:
        assert (message_callback_url(7, "default"), tokens.webhook_path()) == expected
        assert get_script_prefix() == prefix
    finally:
        set_script_prefix(before)


def test_a_request_that_has_urls_of_its_own_makes_the_same_urls() -> None:
    expected = message_callback_url(7, "default"), tokens.webhook_path()
    set_urlconf("tests.unit.api.urls")  # as Django does with request.urlconf
    try:
        assert (message_callback_url(7, "default"), tokens.webhook_path()) == expected
    finally:
        set_urlconf(None)


@pytest.mark.parametrize("prefix_default_language", [True, False])
@pytest.mark.parametrize("own", ["en", "en-us"])
@pytest.mark.parametrize("language", ["en", "et", "de"])
def test_whoever_sends_in_whatever_language_hands_out_the_same_url_and_it_is_served(
    settings: Any, language: str, own: str, prefix_default_language: bool
) -> None:
    settings.LANGUAGE_CODE = own
    urls = ModuleType(f"urls_by_language_{prefix_default_language}")
    ours = path("messente/", include("django_messente_dlr.urls"))
    urls.urlpatterns = i18n_patterns(  # type: ignore[attr-defined]
        ours, prefix_default_language=prefix_default_language
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


def test_each_url_is_of_its_own_and_always_the_same() -> None:
    tokens = {message_token(1), message_token(2), message_token(1, "marketing"), account_token(), message_token(12)}
    assert len(tokens) == 5
    assert message_token(1) in tokens


def test_the_longest_url_of_ours_is_not_too_long_to_be_read(settings: Any) -> None:
    token = message_token(2**63 - 1, LONGEST)
    assert len(token) <= tokens.MAX_TOKEN
    assert read_token(token) is not None


def test_the_signature_of_one_token_does_not_fit_another() -> None:
    values = {"m7.default": message_token(7), "m8.default": message_token(8), "a.default": account_token()}
    values |= {"m7.marketing": message_token(7, "marketing"), "a.marketing": account_token("marketing")}
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
def test_a_token_that_was_tampered_with_speaks_for_nothing(tamper: Any) -> None:
    token = message_token()
    assert read_token(token) is not None
    assert read_token(tamper(token)) is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "m7.default", "x" * 201, "x" * 1_000_000, "õ", "\ud800", "\0", "m7.default.õ", "💥" * 50]
)
def test_what_is_no_token_speaks_for_nothing(token: str) -> None:
    assert read_token(token) is None


@unhurried
@given(token=st.text(st.characters(exclude_categories=())))
def test_no_text_is_a_token_and_none_makes_reading_fail(token: str) -> None:
    assert read_token(token) is None


def test_a_token_that_is_too_long_is_refused_though_it_is_signed() -> None:
    assert read_token(signed(f"a.{'x' * 200}")) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "default",
        "m7",
        "m7.",
        "m.default",
        "m0.default",
        "m07.default",
        "m-7.default",
        "m+7.default",
        "mNone.default",
        f"m{'9' * 20}.default",
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
def test_what_we_have_signed_for_something_else_speaks_for_nothing(value: str) -> None:
    assert read_token(signed(value)) is None


def test_a_token_with_another_salt_or_key_speaks_for_nothing() -> None:
    assert read_token(signed("m7.default")) == CallbackToken(account="default", message_pk=7)
    assert read_token(signed("m7.default", salt="django.core.signing.Signer")) is None
    assert read_token(signed("m7.default", salt="")) is None
    assert read_token(signed("m7.default", key="another key")) is None


class TestRotation:
    def test_callback_keys_sign_in_the_place_of_the_secret_key(self, settings: Any) -> None:
        old = message_token()
        configure(settings, CALLBACK_KEYS=["first"])
        assert message_token() == signed("m7.default", key="first") != old
        assert read_token(message_token()) is not None
        assert read_token(old) is None

    def test_the_first_callback_key_signs_and_all_verify(self, settings: Any) -> None:
        configure(settings, CALLBACK_KEYS=["old"])
        old = message_token()
        configure(settings, CALLBACK_KEYS=["new", "old"])
        assert message_token() == signed("m7.default", key="new")
        assert read_token(old) == CallbackToken(account="default", message_pk=7)
        configure(settings, CALLBACK_KEYS=["newest", "new"])
        assert read_token(old) is None

    def test_the_first_secret_key_signs_and_its_fallbacks_verify(self, settings: Any) -> None:
        old = message_token()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a newer secret key"
        assert message_token() != old
        assert read_token(message_token()) == read_token(old) == CallbackToken(account="default", message_pk=7)
        settings.SECRET_KEY_FALLBACKS = []
        assert read_token(old) is None

    def test_the_secret_key_does_not_verify_where_there_are_callback_keys(self, settings: Any) -> None:
        configure(settings, CALLBACK_KEYS=["first"])
        settings.SECRET_KEY_FALLBACKS = ["a fallback"]
        assert read_token(signed("m7.default", key=settings.SECRET_KEY)) is None
        assert read_token(signed("m7.default", key="a fallback")) is None

    def test_secret_keys_may_be_bytes(self, settings: Any) -> None:
        settings.SECRET_KEY = b"a secret key in bytes"
        settings.SECRET_KEY_FALLBACKS = [b"an older one"]
        assert read_token(message_token()) is not None

    @pytest.mark.parametrize("keys", [[""], ["", "old"], ["new", ""]])
    def test_an_empty_key_is_refused_and_signs_for_nobody(self, settings: Any, keys: list[str]) -> None:
        configure(settings, CALLBACK_KEYS=keys)
        with pytest.raises(ImproperlyConfigured, match="CALLBACK_KEYS"):
            read_token("m7.default.x")
