"""The tables of Messente's words and numbers, against the tables of its documentation."""

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


def test_the_table_of_words_has_the_documented_ones_and_no_other() -> None:
    assert {stat.value: stat.delivery_class.value for stat in Stat} == STATS


def test_the_table_of_errors_has_the_documented_ones_and_no_other() -> None:
    assert {int(code): code.delivery_class and code.delivery_class.value for code in ErrorCode} == ERRORS


def test_the_table_of_answers_has_the_documented_ones_and_no_other() -> None:
    assert [code.value for code in ResponseCode] == ANSWERS


@pytest.mark.parametrize("stat", Stat, ids=str)
def test_each_word_says_in_a_sentence_what_it_means(stat: Stat) -> None:
    text = str(stat.meaning)
    assert text == text.strip()
    assert text[:1].isupper()
    assert text.endswith(".")


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: str(int(code)))
def test_each_error_has_a_name_for_its_cause_and_a_sentence_that_says_what_to_do(code: ErrorCode) -> None:
    meaning = str(code.meaning)
    assert meaning == meaning.strip()
    assert meaning[:1].isupper()
    assert is_sentence(str(code.advice))


@pytest.mark.parametrize("code", ResponseCode, ids=str)
def test_each_answer_has_a_sentence_for_its_meaning_and_one_for_what_to_do(code: ResponseCode) -> None:
    assert is_sentence(str(code.meaning))
    assert is_sentence(str(code.advice))


def test_meanings_and_advice_are_not_said_twice() -> None:
    assert len({str(stat.meaning) for stat in Stat}) == len(Stat)
    assert len({str(code.meaning) for code in ErrorCode}) == len(ErrorCode)
    assert len({str(code.meaning) for code in ResponseCode}) == len(ResponseCode)


def test_texts_for_people_are_translated_when_they_are_shown_not_when_they_are_imported() -> None:
    for text in (Stat.NACK.meaning, ErrorCode.TEMPORARY.advice, ResponseCode.BLACKLISTED.advice):
        assert isinstance(text, Promise)


@pytest.mark.parametrize("word", STATS)
@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title, str.swapcase])
def test_a_word_is_known_in_any_case(word: str, spell: object) -> None:
    assert callable(spell)
    assert Stat.from_code(spell(word)) is Stat[word]


@pytest.mark.parametrize("word", ["", " ", "DELIVRD ", "BOUNCED", "DLR-MASK 3", "name", "mro", "\0", "\ud800"])
def test_a_word_that_is_not_in_the_table_is_not_known(word: str) -> None:
    assert Stat.from_code(word) is None


@pytest.mark.parametrize("number", [None, -1, 11, 99, 998, 1000, 2**31 - 1])
def test_a_number_that_is_not_in_the_table_is_not_known(number: int | None) -> None:
    assert ErrorCode.from_code(number) is None


@pytest.mark.parametrize("number", ERRORS)
def test_a_number_of_the_table_is_known(number: int) -> None:
    assert ErrorCode.from_code(number) == number


@pytest.mark.parametrize("code", ResponseCode, ids=str)
@pytest.mark.parametrize("shape", ["{}", "{} and more", " {}\r\n"])
def test_an_answer_is_known_by_its_first_two_words(code: ResponseCode, shape: str) -> None:
    assert ResponseCode.from_code(shape.format(code.value)) is code
    assert ResponseCode.from_code(shape.format(code.value.lower())) is code


@pytest.mark.parametrize(
    "answer", ["", " ", "OK", "OK 101", "ERROR", "ERROR 1011", "ERROR101", "FAILED 101", "FAILED 103", "ERROR 209"]
)
def test_an_answer_that_is_not_in_the_table_is_not_known(answer: str) -> None:
    assert ResponseCode.from_code(answer) is None


def test_no_report_yet_and_wrong_parameters_are_told_apart() -> None:
    """«FAILED 102» says to ask again, «ERROR 102» that the call was wrong."""
    assert ResponseCode.from_code("FAILED 102") is ResponseCode.NO_REPORT_YET
    assert ResponseCode.from_code("ERROR 102") is ResponseCode.WRONG_PARAMETERS


def test_seen_is_not_an_error() -> None:
    assert ErrorCode.SEEN.delivery_class is DeliveryClass.SEEN
