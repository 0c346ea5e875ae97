"""Creating and checking ``X-Messente-Signature``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.messente.signatures import HEADER, Signer, find_signer, sign
from tests.unit.messente.storable import unhurried

BODY = b'{"status": "DELIVRD", "message_id": "11111111-1111-4111-8111-111111111111"}'
# printf '%s' '{"status": …}' | openssl dgst -sha256 -hmac 'a-password'
SIGNATURE = "cffa80333f015abee81dac446e6fb5b92db5d407112bbafd9511f4109f482cf0"
# RFC 4231, test case 2, with the key "Jefe".
RFC_BODY = b"what do ya want for nothing?"
RFC_SIGNATURE = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

PASSWORDS = {"default": ["a-password", "an-older-password"], "marketing": ["another-password"]}


def account_of(body: bytes, signature: str, passwords: dict[str, list[str]]) -> str | None:
    signer = find_signer(body, signature, passwords)
    return signer.account if signer else None


def test_header__is_documented_name() -> None:
    assert HEADER == "X-Messente-Signature"


def test_sign__is_lower_case_hmac_sha256() -> None:
    assert sign(BODY, "a-password") == SIGNATURE
    assert sign(RFC_BODY, "Jefe") == RFC_SIGNATURE


def test_sign__encodes_password_as_utf_8() -> None:
    # printf '%s' '{"status": …}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:c3b5c3a4
    assert sign(BODY, "õä") == "4fbce44aa8b8187a72617d17d8066d3398bb5c912d2db0eb7e315f76b31ef653"


@pytest.mark.parametrize(
    ("password", "account"),
    [("a-password", "default"), ("an-older-password", "default"), ("another-password", "marketing"), ("x", None)],
)
def test_find_signer__tries_every_password(password: str, account: str | None) -> None:
    assert account_of(BODY, sign(BODY, password), PASSWORDS) == account


def test_find_signer__returns_position_of_password() -> None:
    assert find_signer(BODY, sign(BODY, "an-older-password"), PASSWORDS) == Signer("default", 1)
    assert find_signer(BODY, sign(BODY, "a-password"), {"default": ["a-password"] * 2}) == Signer("default", 0)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        " ",
        SIGNATURE[:-1],
        SIGNATURE + "0",
        SIGNATURE[:-1] + ("1" if SIGNATURE[-1] == "0" else "0"),
        f" {SIGNATURE}",
        f"sha256={SIGNATURE}",
        SIGNATURE.upper(),
        SIGNATURE.replace("7", "\u0667"),  # an Arabic-Indic digit
        "õ" * 64,
        "\ud800" * 64,
        "\0" * 64,
        "0" * 100_000,
    ],
)
def test_find_signer__invalid_signature_is_none(signature: str) -> None:
    assert account_of(BODY, signature, PASSWORDS) is None


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b": ", b":"), BODY[:-1]])
def test_find_signer__changed_body_is_none(body: bytes) -> None:
    assert account_of(body, SIGNATURE, PASSWORDS) is None


@pytest.mark.parametrize("passwords", [{}, {"default": []}, {"default": [""]}, {"default": ["", ""], "other": [""]}])
def test_find_signer__empty_password_never_matches(passwords: dict[str, list[str]]) -> None:
    assert account_of(BODY, sign(BODY, ""), passwords) is None


def test_find_signer__skips_empty_password() -> None:
    assert account_of(BODY, sign(BODY, ""), {"default": ["", "a-password"]}) is None
    assert account_of(BODY, SIGNATURE, {"default": ["", "a-password"]}) == "default"


def test_find_signer__shared_password_is_first_account() -> None:
    assert account_of(BODY, SIGNATURE, {"first": ["a-password"], "second": ["a-password"]}) == "first"


@unhurried
@given(body=st.binary(), password=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), other=st.text())
def test_find_signer__accepts_only_sign_result(body: bytes, password: str, other: str) -> None:
    signature = sign(body, password)
    assert account_of(body, signature, {"default": [password]}) == "default"
    assert other == signature or account_of(body, other, {"default": [password]}) is None
