"""Status codes, error codes and response codes, compared with the tables of Messente's documentation."""

from __future__ import annotations

import pytest
from django.utils.functional import Promise

from django_messente_dlr.messente.codes import DeliveryClass, ErrorCode, Stat
from django_messente_dlr.messente.response_codes import ResponseCode

STATS = {
    "DELIVRD": "delivered",
    "DELIVERED": "delivered",
    "SEEN": "seen",
    "ACCEPTD": "sent",
    "ACK": "sent",
    "SENT": "sent",
    "UNKNOWN": "sent",
    "UNDELIV": "failed",
    "FAILED": "failed",
    "EXPIRED": "failed",
    "DELETED": "failed",
    "NACK": "failed",
    "REJECTD": "rejected",
}
ERRORS = {
    0: None,
    1: "failed",
    2: "failed",
    3: "failed",
    4: "rejected",
    5: "failed",
    6: "rejected",
    7: "rejected",
    8: "rejected",
    9: "rejected",
    10: "seen",
    999: "failed",
}
ANSWERS = [
    *(f"ERROR {number}" for number in (101, 102, 103, 104, 105, 106, 107, 108, 111)),
    "FAILED 102",
    "FAILED 209",
]


def is_sentence(text: str) -> bool:
    return text == text.strip() and text[:1].isupper() and text.endswith(".") and " " in text


def test_stat__has_exactly_documented_codes() -> None:
    assert {stat.value: stat.delivery_class.value for stat in Stat} == STATS


def test_error_code__has_exactly_documented_codes() -> None:
    assert {int(code): code.delivery_class and code.delivery_class.value for code in ErrorCode} == ERRORS


def test_response_code__has_exactly_documented_codes() -> None:
    assert [code.value for code in ResponseCode] == ANSWERS


@pytest.mark.parametrize("stat", Stat, ids=str)
def test_stat__meaning_is_sentence(stat: Stat) -> None:
    text = str(stat.meaning)
    assert text == text.strip()
    assert text[:1].isupper()
    assert text.endswith(".")


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: str(int(code)))
def test_error_code__has_meaning_and_advice(code: ErrorCode) -> None:
    meaning = str(code.meaning)
    assert meaning == meaning.strip()
    assert meaning[:1].isupper()
    assert is_sentence(str(code.advice))


@pytest.mark.parametrize("code", ResponseCode, ids=str)
def test_response_code__has_meaning_and_advice(code: ResponseCode) -> None:
    assert is_sentence(str(code.meaning))
    assert is_sentence(str(code.advice))


def test_codes__meanings_are_unique() -> None:
    assert len({str(stat.meaning) for stat in Stat}) == len(Stat)
    assert len({str(code.meaning) for code in ErrorCode}) == len(ErrorCode)
    assert len({str(code.meaning) for code in ResponseCode}) == len(ResponseCode)


def test_codes__texts_are_lazy_translations() -> None:
    for text in (Stat.NACK.meaning, ErrorCode.TEMPORARY.advice, ResponseCode.BLACKLISTED.advice):
        assert isinstance(text, Promise)


@pytest.mark.parametrize("word", STATS)
@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title, str.swapcase])
def test_stat__from_code_ignores_case(word: str, spell: object) -> None:
    assert callable(spell)
    assert Stat.from_code(spell(word)) is Stat[word]


@pytest.mark.parametrize("word", ["", " ", "DELIVRD ", "BOUNCED", "DLR-MASK 3", "name", "mro", "\0", "\ud800"])
def test_stat__from_code_unknown_is_none(word: str) -> None:
    assert Stat.from_code(word) is None


@pytest.mark.parametrize("number", [None, -1, 11, 99, 998, 1000, 2**31 - 1])
def test_error_code__from_code_unknown_is_none(number: int | None) -> None:
    assert ErrorCode.from_code(number) is None


@pytest.mark.parametrize("number", ERRORS)
def test_error_code__from_code_returns_member(number: int) -> None:
    assert ErrorCode.from_code(number) == number


@pytest.mark.parametrize("code", ResponseCode, ids=str)
@pytest.mark.parametrize("shape", ["{}", "{} and more", " {}\r\n"])
def test_response_code__from_code_reads_two_words(code: ResponseCode, shape: str) -> None:
    assert ResponseCode.from_code(shape.format(code.value)) is code
    assert ResponseCode.from_code(shape.format(code.value.lower())) is code


@pytest.mark.parametrize(
    "answer", ["", " ", "OK", "OK 101", "ERROR", "ERROR 1011", "ERROR101", "FAILED 101", "FAILED 103", "ERROR 209"]
)
def test_response_code__from_code_unknown_is_none(answer: str) -> None:
    assert ResponseCode.from_code(answer) is None


def test_response_code__102_depends_on_first_word() -> None:
    """``FAILED 102`` means that there is no report yet, ``ERROR 102`` that a parameter is wrong."""
    assert ResponseCode.from_code("FAILED 102") is ResponseCode.NO_REPORT_YET
    assert ResponseCode.from_code("ERROR 102") is ResponseCode.WRONG_PARAMETERS


def test_error_code__seen_has_own_class() -> None:
    assert ErrorCode.SEEN.delivery_class is DeliveryClass.SEEN
