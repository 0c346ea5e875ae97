"""`message_parts`: the fixed table in ``message_parts.json``, whose header names its sources, and arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.sending import MessageParts, message_parts

ROWS = json.loads(Path(__file__).with_name("message_parts.json").read_text("utf-8"))["rows"]
EXTENSION = "\f^{}\\[~]|€"


def text_of(runs: list[tuple[str, int]]) -> str:
    return "".join(text * repetitions for text, repetitions in runs)


def test_message_parts__table() -> None:
    assert len(ROWS) > 300
    assert {row[1] for row in ROWS} == {"GSM-7", "UCS-2"}
    counted = [(runs, message_parts(text_of(runs))) for runs, *_ in ROWS]
    differences = [
        (runs, counted_parts, expected)
        for (runs, counted_parts), (_, *expected) in zip(counted, ROWS, strict=True)
        if [counted_parts.encoding, counted_parts.characters, counted_parts.parts] != expected
    ]
    assert differences == []


@pytest.mark.parametrize(
    ("unit", "single", "per_part"), [("a", 160, 153), ("€", 80, 76), ("õ", 70, 67), ("😀", 35, 33)]
)
@pytest.mark.parametrize("parts", range(1, 13))
def test_message_parts__equal_characters(unit: str, single: int, per_part: int, parts: int) -> None:
    """A part of 153 septets has room for 76 characters of two, and one of 67 units for 33 surrogate pairs."""
    most = single if parts == 1 else per_part * parts
    assert message_parts(unit * most).parts == parts
    assert message_parts(unit * (most + 1)).parts == parts + 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 152 + "€" + "a" * 152, 3),  # 306 septets, but the escape code is not the last septet of a part
        ("a" * 151 + "€" + "a" * 153, 2),
        ("õ" * 66 + "😀" + "õ" * 66, 3),
        ("õ" * 65 + "😀" + "õ" * 67, 2),
    ],
)
def test_message_parts__no_part_ends_within_a_character(text: str, parts: int) -> None:
    assert message_parts(text).parts == parts


@given(st.text(st.sampled_from("aZ9 \n" + EXTENSION), min_size=1, max_size=700))
def test_message_parts__gsm_length(text: str) -> None:
    length = message_parts(text)
    assert (length.encoding, length.characters) == ("GSM-7", len(text) + sum(map(text.count, EXTENSION)))
    assert_plausible(length, single=160, multiple=153)


@given(st.text(min_size=1, max_size=300).map(lambda text: text.replace("\0", "") + "中"))
def test_message_parts__ucs_2_length(text: str) -> None:
    length = message_parts(text)
    assert (length.encoding, length.characters) == ("UCS-2", len(text.encode("utf-16-le")) // 2)
    assert_plausible(length, single=70, multiple=67)


def assert_plausible(length: MessageParts, *, single: int, multiple: int) -> None:
    """Assert that the parts have room for the text, and that each part but the last lacks one unit at most."""
    if length.characters <= single:
        assert length.parts == 1
    else:
        assert (length.parts - 1) * (multiple - 1) < length.characters <= length.parts * multiple


def test_message_parts__lazy_translation() -> None:
    assert message_parts(gettext_lazy("Hello")) == MessageParts(encoding="GSM-7", characters=5, parts=1)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (b"Tere", TypeError, "must be a text .* not bytes"),
        (None, TypeError, "not NoneType"),
        (17, TypeError, "not int"),
        ("", ValueError, "The text is empty. Pass the text of the SMS"),
        ("Tere \ud83d", ValueError, "half a character .* at index 5"),
    ],
)
def test_message_parts__refused(text: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        message_parts(text)
