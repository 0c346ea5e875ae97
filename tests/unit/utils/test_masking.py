from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.utils.masking import mask_in_json, mask_in_text, mask_number
from tests.spellings import NUMBER, SPELLINGS, contains_the_number


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+37255500000", "+372•••••000"),
        ("37255500000", "372•••••000"),
        ("0037255500000", "00372•••••000"),
        ("+12025550123", "+1•••••••123"),
        ("55500", "••500"),
        ("00", "00"),
        ("055500", "•••500"),
        ("", ""),
        ("erased-qwertyuiopas", "erased-qwertyuiopas"),
    ],
)
def test_mask_number__keeps_code_and_three_digits(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +37255500001, please", "to +372•••••001, please"),
        ("37255500001", "372•••••001"),
        ("55500001", "•••••001"),
        ("055500001", "••••••001"),
        ("372 555 00001", "372•••••••001"),
        ("00372 5550 0009", "00372•••••••009"),
        ("+372\u00a05550\u00a00009", "+372•••••••009"),
        ("call +49 155 5000-123!", "call +49••••••••••123!"),
        ("order 1234567 of 2026-03-04", "order 1234567 of 2026-03-04"),
        ("d92bb23c3c68f018", "d92bb23c3c68f018"),
        ("11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111"),
    ],
)
def test_mask_in_text__masks_numbers_but_no_ids(text: str, masked: str) -> None:
    assert mask_in_text(text, "+37255500001") == masked


@pytest.mark.parametrize("number", [NUMBER, NUMBER[1:], f"00{NUMBER[1:]}", "", "erased-qwertyuiopas"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("text", ["{}", "The number {} is not valid.", '{{"to":"{}"}}', "to={}&from=Shop", "({})"])
def test_mask_in_text__every_spelling(number: str, spelling: str, text: str) -> None:
    """With and without a known recipient, in each format in which a project can store it."""
    written = text.format(spelling)
    assert contains_the_number(written)
    masked = mask_in_text(written, number)
    assert not contains_the_number(masked), masked
    assert "•••" in masked


@pytest.mark.parametrize(
    ("number", "text", "masked"),
    [
        ("+4366412345678", "Tel. 0664 / 123 45 678", "Tel. ••••••••••••••678"),
        ("+390612345678", "06 1234 5678", "•••••••••678"),
        ("+79123456789", "8 (912) 345-67-89", "8 (•••••••••••-89"),
        ("+12025550123", "(202) 555-0123", "(••••••••••123"),
        ("+298123456", "123456, not 1234567", "•••456, not 1234567"),
        ("5550", "5550", "•550"),
        ("(372) no number", "372 no number", "372 no number"),
    ],
)
def test_mask_in_text__national_numbers(number: str, text: str, masked: str) -> None:
    assert mask_in_text(text, number) == masked


@pytest.mark.parametrize(
    "text",
    [
        "d92bb23c3c68f018",
        "11111111-1111-4111-8111-111111111111",
        "1" * 32,
        "2024-05-06T07:08:09.123456Z",
        "2024-05-06 07:08:09",
        "ERROR 103: 116.203.70.24",
        "ERROR 103 116.203.70.24",
        "err 999, 2 parts, price 0.123",
        "abc1234567",
        "123456",
    ],
)
def test_mask_in_text__keeps_ids_and_times(text: str) -> None:
    """Without a known recipient, this is not taken for a phone number."""
    assert mask_in_text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("5551234 or 37255512345 55512346", "••••234 or •••••••••••••••••346"),
        ("order 1234567 of 2026-03-04", "order ••••567 of 2026-03-04"),
        ("+372 5551234", "+372•••••234"),
        ("ERROR 105 55512345", "ERROR 105 •••••345"),
    ],
)
def test_mask_in_text__unknown_recipient(text: str, masked: str) -> None:
    assert mask_in_text(text) == masked


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"to": "+37255500001", "err": 0}, {"to": "+372•••••001", "err": 0}),
        ({"phones": ["37255500001", {"x": 37255500001}]}, {"phones": ["372•••••001", {"x": "372•••••001"}]}),
        ({"phone": 55500001, "float": 37255500001.0}, {"phone": "•••••001", "float": "372•••••001.0"}),
        ({"+37255500001": None}, {"+372•••••001": None}),
        ({"order": 17, "paid": True, "id": 1}, {"order": 17, "paid": True, "id": 1}),
    ],
)
def test_mask_in_json__masks_keys_and_values(value: Any, masked: Any) -> None:
    assert mask_in_json(value, "+37255500001") == masked


@pytest.mark.parametrize("number", ["", "+37255500001"])
def test_mask_in_json__keeps_the_ids_of_the_message(number: str) -> None:
    payload = {"message_id": "1234567890", "omnimessage_id": "37255500001", "to": "37255500001 "}
    shown = mask_in_json(payload, number, ids={"1234567890", "37255500001"})
    assert [shown["message_id"], shown["omnimessage_id"]] == ["1234567890", "37255500001"]
    assert shown["to"] != payload["to"]
