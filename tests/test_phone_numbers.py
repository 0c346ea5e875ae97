from __future__ import annotations

import pytest

from django_messente_dlr.calling_codes import calling_code


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
