"""Hypothesis strategies for unusual input, and the assertion that every database can store a report."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from django_messente_dlr.messente.reports import Report

# Without a deadline, because hypothesis would report a busy machine as a defect.
unhurried = settings(deadline=None)

# Any text. Characters that often cause errors in databases and parsers are drawn more often.
ODD = "\0\ud800\udfff\u0660\u0664\u00df\u0131\ufeff\u200b\u2028\U0001f600\x1c\n\r\t %&=+"
odd_text = st.text(st.characters(exclude_categories=()) | st.sampled_from(ODD + string.digits), max_size=40)
words = st.sampled_from(
    [
        "",
        "DELIVRD",
        "delivrd",
        "Seen",
        "UNKNOWN",
        "SENT",
        "0",
        "4",
        "004",
        "999",
        "2147483648",
        "-1",
        "X" * 33,
        "é" * 33,
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    # PostgreSQL stores a greater number as a decimal number, and returns all of its digits.
    | st.floats(-1e15, 1e15)
    | st.sampled_from([math.nan, math.inf, -math.inf])
    | words
    | odd_text
    | st.sampled_from([10**300, -(10**300), 2**31 - 1, 2**31, 32767, 32768, "a" * 128, "a" * 129])
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3), max_leaves=8
)


def assert_storable(report: Report) -> None:
    """Assert that every database can store the report, and that the report has a valid fingerprint."""
    for name, limit in {
        "sms_unique_id": 128,
        "omnimessage_id": 128,
        "stat": 32,
        "raw_err": 32,
        "error_text": 255,
        "channel": 16,
    }.items():
        assert_text(getattr(report, name), limit)
    assert report.err is None or -(2**31) < report.err < 2**31
    assert report.parts is None or 0 < report.parts < 2**15
    assert report.price is None or Decimal(0) <= report.price < 10**8
    assert report.price is None or report.price == round(report.price, 6)
    assert report.occurred_at is None or report.occurred_at.tzinfo is UTC
    serialized = json.dumps(dict(report.payload), allow_nan=False, ensure_ascii=False)
    assert_text(serialized, None)
    for text in texts_in(report.payload, depth=0):
        assert_text(text, None)
    fingerprint = report.fingerprint("default")
    assert len(fingerprint) == 64
    assert set(fingerprint) <= set("0123456789abcdef")


def assert_text(text: str, limit: int | None) -> None:
    assert "\0" not in text
    text.encode()
    assert limit is None or len(text) <= limit


def texts_in(value: Any, *, depth: int) -> Iterator[str]:
    assert depth <= 31, "MariaDB rejects deeper JSON"
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from texts_in(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            yield from texts_in(member, depth=depth + 1)
    elif isinstance(value, int):
        float(value)  # MySQL stores a long number as a double
