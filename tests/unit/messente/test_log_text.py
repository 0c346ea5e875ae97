"""Received data in errors is one line of printable characters, of limited length."""

from __future__ import annotations

import pytest

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.log_text import one_line
from tests.unit.messente.answering import CALLS, FIRST, Messente, client, every_call

FORGED = "<html>\r\nERROR forged line\x1b[2J\u2028\x85"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("ERROR 107", "ERROR 107"),
        ("пä € 😀", "пä € 😀"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\x1b[2J\x7f\x85\u2028\u202e", r"\x1b[2J\x7f\x85\u2028\u202e"),
        ("\ud800", r"\ud800"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 80 + "…"),
        (12, "12"),
    ],
)
def test_one_line(value: object, expected: str) -> None:
    assert one_line(value) == expected
    assert expected.isprintable()


def test_one_line__limit() -> None:
    assert one_line("abc\ndef", limit=4) == r"abc\n…"


@every_call
@pytest.mark.parametrize("answer", [FORGED, f"ERROR 107 {FORGED}", f"FAILED {FORGED}", "ERROR 107 " + "x" * 5000])
def test_client__error_is_one_line(messente: Messente, endpoint: str, answer: str) -> None:
    messente.answer(FIRST, endpoint, answer)
    with pytest.raises((errors.MessenteError, errors.OutcomeUnknown)) as raised:
        CALLS[endpoint](client())
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400
