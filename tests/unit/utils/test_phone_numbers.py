from __future__ import annotations

import pytest

from django_messente_dlr.utils.phone_numbers import calling_code, spellings


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
        ("somebody", ""),
        ("+٣٧٢٥٥", ""),
    ],
)
def test_a_number_goes_to_the_country_with_whose_code_it_begins(number: str, code: str) -> None:
    assert calling_code(number) == code


@pytest.mark.parametrize("typed", ["+37255500000", " 372 5550 0000", "00372-555.000(00)", "37255500000"])
def test_however_a_number_is_typed_it_may_stand_in_three_ways(typed: str) -> None:
    assert spellings(typed) == ["+37255500000", "37255500000", "0037255500000"]


@pytest.mark.parametrize("typed", ["abc123", "d92bb23c3c68f018", "+", "", "(–)", "0", "00"])
def test_what_is_no_phone_number_is_not_spelt(typed: str) -> None:
    assert all(not any(char.isalpha() for char in number) for number in spellings(typed))
    assert bool(spellings(typed)) is (typed == "0")
