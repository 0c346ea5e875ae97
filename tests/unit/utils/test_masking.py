from __future__ import annotations

from typing import Any

import pytest

from django_messente_dlr.utils.masking import mask_in_json, mask_in_text, mask_number


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
    ],
)
def test_mask_number__keeps_code_and_three_digits(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +37255500001, please", "to +372•••••001, please"),
        ("37255500001", "372•••••001"),
        ("00372 5550 0009", "00372•••••••009"),
        ("call +49 155 5000-123!", "call +49••••••••••123!"),
        ("order 1234567 of 2026-03-04", "order 1234567 of 2026-03-04"),
        ("d92bb23c3c68f018", "d92bb23c3c68f018"),
        ("11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111"),
    ],
)
def test_mask_in_text__masks_numbers_but_no_ids(text: str, masked: str) -> None:
    assert mask_in_text(text, "+37255500001") == masked


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"to": "+37255500001", "err": 0}, {"to": "+372•••••001", "err": 0}),
        ({"phones": ["37255500001", {"x": 37255500001}]}, {"phones": ["372•••••001", {"x": "372•••••001"}]}),
        ({"+37255500001": None}, {"+372•••••001": None}),
        ({"order": 17, "paid": True, "id": 1}, {"order": 17, "paid": True, "id": 1}),
    ],
)
def test_mask_in_json__masks_keys_and_values(value: Any, masked: Any) -> None:
    assert mask_in_json(value, "+37255500001") == masked
