"""`parse_number`: spellings of numbers, each with the stored number or the sentence of the error.

Each test runs with and without the package phonenumbers. Without it, as where it is not installed, some sentences and
some results differ.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import strategies as st

from django_messente_dlr.utils.number_parser import parse_number
from django_messente_dlr.utils.phone_numbers import calling_code, is_assigned

NUMBER = "+37255500000"

# The spelling, and the number that is stored.
ACCEPTED: list[tuple[Any, str]] = [
    ("+37255500000", NUMBER),
    ("37255500000", NUMBER),
    (37255500000, NUMBER),
    (" +37255500000\r\n", NUMBER),
    ("+372 5550 0000", NUMBER),
    ("+ 372 5550 0000", NUMBER),
    ("+372-5550-0000", NUMBER),
    ("+372.55500000", NUMBER),
    ("+372.555.000.00", NUMBER),
    ("+372 (555) 000-00", NUMBER),
    ("(+372) 55500000", NUMBER),
    ("+(372) 55500000", NUMBER),
    ("+372 [555] 00000", NUMBER),
    ("372 5550 0000", NUMBER),
    ("+372\t5550\t0000", NUMBER),
    ("+372\u00a05550\u202f0000", NUMBER),  # no-break spaces
    ("+372\u20095550\u30000000", NUMBER),  # thin and ideographic spaces
    ("+372\u20105550\u20110000", NUMBER),  # hyphens
    ("+372\u20135550\u20140000", NUMBER),  # dashes
    ("+372\u22125550\u22120000", NUMBER),  # minus signs
    ("\u202a+37255500000\u202c", NUMBER),  # the marks of a contact that was copied from a phone
    ("\u2066+37255500000\u2069", NUMBER),
    ("+372\u200b5550\u00ad0000", NUMBER),  # a zero-width space and a soft hyphen
    ("\ufeff+37255500000", NUMBER),
    ("+37255500000-", NUMBER),
    (gettext_lazy("+37255500000"), NUMBER),
    ("+12025550100", "+12025550100"),
    ("+1 (202) 555-0100", "+1" + "2025550100"),
    ("1-202-555-0100", "+12025550100"),
    ("+44 20 7946 0000", "+442079460000"),
    ("+39 06 1234 5678", "+390612345678"),  # Italian numbers keep their 0
    ("+7 912 345-67-89", "+79123456789"),
    ("+49 1555 0000000", "+4915550000000"),
    ("+290 51234", "+29051234"),
    ("+683 4000", "+6834000"),
    ("+8613812345678", "+8613812345678"),
]

# The spelling, and what the error states. ``…`` stands for any text.
REFUSED: list[tuple[Any, str]] = [
    (None, 'Pass the number as text, such as "+37255500000"'),
    ("", "It has no digits"),
    (" \u200b", "It has no digits"),
    ("+", "It has no digits"),
    ("no number", "The character 'n' at position 1 is not part of one. Write digits after +"),
    ("+3725550000O", "The character 'O' at position 12"),
    ("+372 5550 0000 ext. 12", "The character 'e' at position 16"),
    ("tel:+37255500000", "The character 't' at position 1"),
    ("+37255500000#", "The character '#' at position 13"),
    ("+37255500000, +37255500001", "The character ',' at position 13"),
    ("+37255500000/1", "The character '/' at position 13"),
    (
        "+37255500000 +37255500001",
        "The character '+' at position 14 is not part of one. Write + at the beginning only",
    ),
    ("++37255500000", "The character '+' at position 2"),
    ("37255500000+", "The character '+' at position 12"),
    ("-37255500000", "The character '-' at position 1"),
    ("+372\n55500000", "The character U+000A at position 5"),
    ("+372\x0055500000", "The character U+0000 at position 5"),
    ("+372\ud83d55500000", "The character U+D83D at position 5"),
    ("+٣٧٢٥٥٥٠٠٠٠٠", "The character '٣' at position 2 is not part of one. Write 3 instead"),
    ("+3725550000\uff10", "The character '\uff10' at position 12 is not part of one. Write 0 instead"),
    ("\uff0b37255500000", "The character '\uff0b' at position 1"),
    ("+3725550000²", "The character '²' at position 12 is not part of one. Write digits"),
    ("3.7255500000E+10", "The character 'E' at position 13"),
    ("37255500000.0", "is a number with a fraction. Pass the phone number as text"),
    ("+37255500000.00", "is a number with a fraction"),
    ("37255500000.000", "is a number with a fraction"),
    ("37255500000,0", "is a number with a fraction"),
    (37255500000.0, "37255500000.0 is not a phone number but a float"),
    (Decimal(37255500000), "is not a phone number but a Decimal"),
    (Fraction(37255500000), "but a Fraction"),
    (b"+37255500000", "but a bytes"),
    (True, "but a bool"),
    ([37255500000], "but a list"),
    (SimpleNamespace(number=NUMBER), "but a SimpleNamespace"),
    (-37255500000, "is below 0 or has more than 15 digits"),
    (10**5000, "The integer is not a phone number: it is below 0 or has more than 15 digits"),
    (55500000, 'Without "+", a number of less than 11 digits may be a national one. … write "+55500000"'),
    ("+44 (0)20 7946 0000", 'contains "(0)", which is not dialled after a country code. Remove it'),
    ("+44 ( 0 ) 20 7946 0000", 'contains "(0)"'),
    ("+44[0]2079460000", 'contains "[0]"'),
    ("0037255500000", '"00" is the prefix for calls to other countries in some countries only. Write "+37255500000"'),
    ("055500000", "It begins with 0, as national numbers do"),
    ("020 7946 0000", "It begins with 0, as national numbers do. … or set DEFAULT_REGION"),
    ("+055500000", "It begins with 0"),
    ("+0037255500000", "It begins with 0"),
    ("+372", "It has only 3 digits"),
    ("+372555", "It has only 6 digits"),
    ("5550 0000", 'If +55 is its country code, write "+55500000"'),
    ("202-555-0100", 'Without "+", a number of less than 11 digits may be a national one. If +20'),
    ("+3725550000000000", "It has 16 digits, and 15 are the most. Pass one number"),
    ("37255500000 37255500001", "It has 22 digits"),
    ("+210 5550 0000", "No country has the code +210. Write + and the country code"),
    ("+999 5550 0000", "No country has the code +999"),
    ("21987654321", "No country has the code +219"),  # national in Brazil
    ("+1 202 555 010", "A number with the country code +1 has 10 digits after +1"),
    ("11987654321", "its area code does not begin with 0 or 1"),  # national in Brazil
    ("+7 912 345 67 8", "has 10 digits after +7"),
]

# What the package adds: the spelling, and the sentence of the error. Without the package, the number is accepted.
REFUSED_BY_PHONENUMBERS: list[tuple[Any, str]] = [
    ("+4402079460000", 'is not dialled like this from another country, where it is "+442079460000"'),
    (
        "+372 5550 00000",
        "has a wrong number of digits for the country code +372, according to phonenumbers … update that",
    ),
    ("+372 5550 00", "has too few digits for the country code"),
    ("+52 3555 0100", "lacks its area code for the country code +52"),
    ("+44 20 7946 000000", "has too many digits for the country code +44"),
    # A mobile number of China, which looks like one of North America.
    ("138 1234 5678", 'has no "+" and is not a valid number with the country code +1, … write "+13812345678"'),
    ("+883 12345", "digits for the country code +883"),
]

# With DEFAULT_REGION: the region, the spelling, and the number or the sentence.
OF_REGION: list[tuple[str, Any, str]] = [
    ("EE", "5550 0000", NUMBER),
    ("EE", "55500000", NUMBER),
    ("EE", 55500000, NUMBER),
    ("EE", "37255500000", NUMBER),
    ("EE", "0037255500000", NUMBER),
    ("EE", "+37255500000", NUMBER),
    ("EE", "0044 20 7946 0000", "+442079460000"),
    ("GB", "020 7946 0000", "+442079460000"),
    ("GB", "+372 5550 0000", NUMBER),
    ("US", "(202) 555-0100", "+12025550100"),
    ("US", "011 372 5550 0000", NUMBER),
    ("US", "0037255500000", "is not a valid phone number of the region US"),
    ("IT", "06 1234 5678", "+390612345678"),
    ("DE", "0155 50000000", "+4915550000000"),
    ("BR", "(11) 98765-4321", "+5511987654321"),
    ("CN", "138 1234 5678", "+8613812345678"),
    ("AU", "0011 372 5550 0000", NUMBER),
    ("EE", "12", "is not a valid phone number of the region EE"),
    ("EE", "99999999", "is not a valid phone number of the region EE"),
    ("EE", "+372 5550 0000 0", "has a wrong number of digits for"),
    # 9 is inserted before the numbers of Argentina's mobile phones and 15 is removed: other digits than were given.
    ("AR", "011 15-2345-6789", "is not a valid phone number of the region AR"),
]


def pattern(sentence: str) -> str:
    """Return the pattern of a sentence in which … stands for any text."""
    return ".*".join(map(re.escape, sentence.split("…")))


@pytest.fixture(params=["with phonenumbers", "without phonenumbers"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the package is available."""
    if request.param == "with phonenumbers":
        pytest.importorskip("phonenumbers")
        return True
    monkeypatch.setitem(sys.modules, "phonenumbers", None)  # Python raises ModuleNotFoundError for such an entry
    return False


def test_tables__sixty_spellings_or_more() -> None:
    assert len(ACCEPTED) + len(REFUSED) >= 60


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("to", "stored"), ACCEPTED, ids=ascii)
def test_parse_number__accepted(to: Any, stored: str) -> None:
    assert parse_number(to) == stored


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("to", "sentence"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_parse_number__refused(to: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=pattern(sentence)) as raised:
        parse_number(to)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(("to", "sentence"), REFUSED_BY_PHONENUMBERS, ids=ascii)
def test_parse_number__refused_by_phonenumbers(to: Any, sentence: str, *, library: bool) -> None:
    if library:
        with pytest.raises(ValueError, match=pattern(sentence)):
            parse_number(to)
    else:
        assert parse_number(to) == "+" + "".join(char for char in to if char.isdigit())


@pytest.mark.parametrize(("region", "to", "expected"), OF_REGION, ids=ascii)
def test_parse_number__of_region(region: str, to: Any, expected: str) -> None:
    pytest.importorskip("phonenumbers")
    if expected.startswith("+"):
        assert parse_number(to, region=region) == expected
    else:
        with pytest.raises(ValueError, match=pattern(expected)):
            parse_number(to, region=region)


def test_parse_number__two_numbers_of_region() -> None:
    """A national number that begins like an international one."""
    phonenumbers = pytest.importorskip("phonenumbers")
    for candidate in range(21_000_000, 100_000_000, 9_973):
        national = phonenumbers.parse(str(candidate), "NO")
        international = (
            phonenumbers.parse(f"+{candidate}", None) if is_assigned(calling_code(str(candidate))) else None
        )
        if international and all(map(phonenumbers.is_valid_number, (national, international))):
            break
    with pytest.raises(ValueError, match=rf'can be two numbers: "\+47{candidate}" or, .* "\+{candidate}". Write'):
        parse_number(candidate, region="NO")
    assert parse_number(f"+47{candidate}", region="NO") == f"+47{candidate}"


def test_parse_number__region_without_phonenumbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    assert parse_number("37255500000", region="EE") == NUMBER
    with pytest.raises(ValueError, match="may be a national one"):
        parse_number("55500000", region="EE")


def test_parse_number__objects_of_phonenumbers() -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    for number in (NUMBER, "+390612345678", "+12025550100"):
        assert parse_number(phonenumbers.parse(number)) == number
    with pytest.raises(ValueError, match="has an extension, which an SMS cannot be sent to"):
        parse_number(phonenumbers.parse("+372 5550 0000 ext. 12"))
    with pytest.raises(ValueError, match="was not recognised"):
        parse_number(phonenumbers.PhoneNumber())


@pytest.mark.usefixtures("library")
def test_parse_number__objects_with_the_same_attributes() -> None:
    """Such as those of django-phonenumber-field, whose ``str`` depends on the project's settings."""
    attributes = {"extension": None, "italian_leading_zero": None, "number_of_leading_zeros": None}
    number = SimpleNamespace(country_code=372, national_number=55500000, **attributes)
    assert parse_number(number) == NUMBER
    zero = SimpleNamespace(country_code=39, national_number=612345678, italian_leading_zero=True)
    assert parse_number(zero) == "+390612345678"
    invalid = SimpleNamespace(country_code=None, national_number=None, raw_input="5550", **attributes)
    with pytest.raises(ValueError, match=r'"5550" is not a phone number .* It was not recognised'):
        parse_number(invalid)


# Digits of all scripts, separators, invisible and unusual characters.
CHARACTERS = (
    st.sampled_from("0123456789" * 3 + "+ -.()[]\t\n,/#\u00a0\u200b\u202e\u2011\u2212٣\uff13²½xE") | st.characters()
)
TEXTS = st.text(CHARACTERS, max_size=24)
NUMBERS = st.builds(
    lambda prefix, code, rest: f"{prefix}{code}{rest}",
    st.sampled_from(["+", "", "00", "0", "+ (", "(+"]),
    st.sampled_from(["372", "1", "7", "44", "39", "210", "999"]),
    TEXTS | st.integers(0, 10**10).map(str),
)


@pytest.mark.parametrize("installed", [True, False])
def test_parse_number__keeps_the_digits_or_refuses(monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    if installed:
        pytest.importorskip("phonenumbers")
    else:
        monkeypatch.setitem(sys.modules, "phonenumbers", None)

    @given(TEXTS | NUMBERS | st.integers())
    @example("+372 5550 0000")
    def check(to: Any) -> None:
        try:
            stored = parse_number(to)
        except ValueError as exc:
            sentence = str(exc)
        else:
            sentence = ""
        if sentence:
            assert sentence.isprintable()
            assert sentence.endswith(".")
            return
        digits = [char for char in str(to) if unicodedata.category(char) in {"Nd", "No", "Nl"}]
        assert stored == "+" + "".join(digits)
        assert stored[1:].isascii()
        assert 7 <= len(digits) <= 15
        assert parse_number(stored) == stored

    check()


@given(TEXTS | NUMBERS)
def test_parse_number__keeps_the_national_digits_of_region(to: str) -> None:
    pytest.importorskip("phonenumbers")
    try:
        stored = parse_number(to, region="EE")
    except ValueError:
        return
    digits = "".join(char for char in to if char in "0123456789")
    assert digits.removeprefix("00").removeprefix("372") == stored.removeprefix("+").removeprefix("372")


def test_calling_codes__are_those_of_phonenumbers() -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    codes = {int(code) for number in range(100, 1000) if is_assigned(code := calling_code(f"{number}0000"))}
    # The ITU has assigned 379 to the Vatican, which uses 39, and 997 to Kazakhstan, which uses 7.
    assert codes ^ set(phonenumbers.COUNTRY_CODE_TO_REGION_CODE) == {379, 997}
