from __future__ import annotations

import pytest

from django_messente_dlr.utils.phone_numbers import calling_code, spellings, with_plus


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+37255500000", "+372"),
        ("37255500000", "+372"),
        ("0037255500000", "+372"),
        ("+12025550100", "+1"),
        ("+79000000000", "+7"),
        ("+4915550000000", "+49"),
        ("+358401234567", "+358"),
        ("+210000000", "+210"),
        ("", ""),
        ("+", ""),
        ("+37", ""),
        ("+055", ""),
        ("Shop", ""),
        ("+٣٧٢٥٥", ""),
    ],
)
def test_calling_code__each_format(number: str, code: str) -> None:
    assert calling_code(number) == code


@pytest.mark.parametrize("text", ["+37255500000", " 372 5550 0000", "00372-555.000(00)", "37255500000"])
def test_spellings__three_stored_formats(text: str) -> None:
    assert spellings(text) == ["+37255500000", "37255500000", "0037255500000"]


@pytest.mark.parametrize("text", ["abc123", "d92bb23c3c68f018", "+", "", "(–)", "0", "00"])
def test_spellings__not_a_phone_number(text: str) -> None:
    assert all(not any(char.isalpha() for char in number) for number in spellings(text))
    assert bool(spellings(text)) is (text == "0")


@pytest.mark.parametrize("number", ["37255500000", "+37255500000", "0037255500000", "+372 5550-0000"])
def test_with_plus__each_format(number: str) -> None:
    assert with_plus(number) == "+37255500000"


@pytest.mark.parametrize("recipient", ["erased-abcdefghijkl", "", "Shop"])
def test_with_plus__no_number_is_unchanged(recipient: str) -> None:
    assert with_plus(recipient) == recipient
