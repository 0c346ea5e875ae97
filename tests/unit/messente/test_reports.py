"""`Report.fingerprint`, which is equal for duplicate reports."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.messente.parsers import parse_answer, parse_callback, parse_omnichannel
from django_messente_dlr.messente.reports import Report, Source
from tests.unit.messente.storable import unhurried

FULL = Report(
    source=Source.OMNICHANNEL,
    sms_unique_id="sms123",
    omnimessage_id="omni456",
    stat="FAILED",
    err=4,
    raw_err="4",
    error_text="No credit",
    channel="sms",
    occurred_at=datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
    price=Decimal("0.2"),
    parts=2,
    payload={"status": "FAILED", "err": 4},
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"payload": {"err": 4, "status": "FAILED"}},
        {"payload": {}},
        {"raw_err": "004"},
        {"price": Decimal("0.200000")},
        {"occurred_at": FULL.occurred_at and FULL.occurred_at.replace(tzinfo=timezone(timedelta(0)))},
    ],
)
def test_fingerprint__equal_for_equal_content(changes: dict[str, Any]) -> None:
    assert replace(FULL, **changes).fingerprint("default") == FULL.fingerprint("default")


DIFFERENT: list[dict[str, Any]] = [
    {},
    *({"source": source} for source in Source if source is not FULL.source),
    {"sms_unique_id": "sms124"},
    {"sms_unique_id": "SMS123"},
    {"sms_unique_id": ""},
    {"omnimessage_id": "omni457"},
    {"omnimessage_id": ""},
    {"sms_unique_id": "omni456", "omnimessage_id": "sms123"},
    {"sms_unique_id": "sms123omni456", "omnimessage_id": ""},
    {"stat": "UNDELIV"},
    {"stat": ""},
    {"err": 6, "raw_err": "6"},
    {"err": 0, "raw_err": "0"},
    {"err": -4, "raw_err": "-4"},
    {"err": None, "raw_err": "4.0"},
    {"err": None, "raw_err": "credit"},
    {"error_text": "No credits"},
    {"error_text": ""},
    {"error_text": "sms", "channel": "No credit"},
    {"channel": "viber"},
    {"channel": ""},
    {"occurred_at": None},
    {"occurred_at": datetime(2024, 5, 6, 7, 8, 9, 123457, tzinfo=UTC)},
    {"price": Decimal("0.3")},
    {"price": Decimal(0)},
    {"price": None},
    {"parts": 3},
    {"parts": None},
]


def test_fingerprint__differs_with_each_attribute() -> None:
    fingerprints = [replace(FULL, **changes).fingerprint("default") for changes in DIFFERENT]
    assert len(set(fingerprints)) == len(DIFFERENT)


SCOPES: list[tuple[object, ...]] = [
    (),
    ("default",),
    ("marketing",),
    ("default", None),
    ("default", 1),
    ("default", "1"),
    ("default", 12),
    ("default1", 2),
    ("default", 1, "failed"),
]


def test_fingerprint__differs_with_scope() -> None:
    fingerprints = [FULL.fingerprint(*scope) for scope in SCOPES]
    assert len(set(fingerprints)) == len(SCOPES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stat=FAILED&err=", "stat=FAILED"),
        ("stat=FAILED&err=", "stat=FAILED&err=0"),
        ("stat=FAILED&err=", "err=000&stat=failed"),
        ("stat=FAILED&err=4", "stat=Failed&err=004"),
        ("stat=FAILED&err=abc", "stat=FAILED&err=ABC"),
        ("stat=FAILED&err=4", "stat=FAILED&err=4&operator=x"),
        ("status=DELIVERED", "dlr-mask=1"),
    ],
)
def test_fingerprint__ignores_spelling_of_callback(one: str, other: str) -> None:
    fingerprints = {parse_callback(f"sms_unique_id=sms123&{query}").fingerprint("default") for query in (one, other)}
    assert len(fingerprints) == 1


def test_fingerprint__ignores_json_type_of_err() -> None:
    bodies = [b'{"status": "FAILED", "message_id": "1", "err": %s}' % err for err in (b"4", b'"4"', b'"004"')]
    assert len({parse_omnichannel(body).fingerprint("default") for body in bodies}) == 1
    without_error = [
        b'{"status": "FAILED", "message_id": "1", "err": %s}' % err for err in (b"0", b"null", b'""', b'"000"')
    ]
    assert len({parse_omnichannel(body).fingerprint("default") for body in without_error}) == 1


def test_fingerprint__differs_for_delivrd_and_delivered() -> None:
    """``DELIVRD`` and ``DELIVERED`` have the same meaning, but come from separate reports."""
    answer = parse_answer("OK DELIVERED", sms_unique_id="sms123")
    assert answer is not None
    assert answer.fingerprint("default") != parse_callback("sms_unique_id=sms123&stat=DELIVRD").fingerprint("default")


def test_fingerprint__is_stable_across_versions() -> None:
    """The fingerprint is a unique column. After a change, repeated reports would be stored twice."""
    assert parse_callback("sms_unique_id=sms123&stat=DELIVRD&err=").fingerprint("default") == FINGERPRINT


FINGERPRINT = "6ae5233aed31c7c96cfd0cb481eac9dfaf8276aa592aeda7b500bf6eba72677b"


def test_report__is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL.stat = "DELIVRD"  # type: ignore[misc]


@unhurried
@given(
    ids=st.tuples(st.text(), st.text()),
    stats=st.tuples(st.text(), st.text()),
    errs=st.tuples(st.integers(1), st.integers(1)),
    accounts=st.tuples(st.text(), st.text()),
)
def test_fingerprint__equal_only_for_equal_input(
    ids: tuple[str, str], stats: tuple[str, str], errs: tuple[int, int], accounts: tuple[str, str]
) -> None:
    one, other = (
        Report(source=Source.CALLBACK, sms_unique_id=id_, stat=stat, err=err, raw_err=str(err)).fingerprint(account)
        for id_, stat, err, account in zip(ids, stats, errs, accounts, strict=True)
    )
    equal = all(first == second for first, second in (ids, stats, errs, accounts))
    assert (one == other) is equal
