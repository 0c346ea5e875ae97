"""`parse_omnichannel`: the documented JSON of an Omnichannel callback, its variants, and malformed bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.field_parsers import MAX_DEPTH
from django_messente_dlr.messente.parsers import parse_omnichannel, restore_report
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models.statuses import Status
from tests.unit.messente.storable import assert_storable, json_values, odd_text, unhurried

MESSAGE = "11111111-1111-4111-8111-111111111111"
OMNIMESSAGE = "22222222-2222-4222-8222-222222222222"
# Documentation: "Omnichannel API", delivery report webhook.
CALLBACK: dict[str, Any] = {
    "status": "DELIVRD",
    "sender": "Shop",
    "err": 0,
    "message_id": MESSAGE,
    "to": "+37255500000",
    "channel": "sms",
    "error": None,
    "omnimessage_id": OMNIMESSAGE,
    "timestamp": "2024-05-06T07:08:09.123456",
    "price_info": {"part_price": "0.1", "parts_count": 2, "total_price": "0.2"},
}
MOMENT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def parse_with(**changes: Any) -> Report:
    return parse_omnichannel(json.dumps({**CALLBACK, **changes}).encode())


def parse_without(*names: str) -> Report:
    return parse_omnichannel(json.dumps({k: v for k, v in CALLBACK.items() if k not in names}).encode())


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_parse_omnichannel__documented_callback() -> None:
    assert parse_with() == Report(
        source=Source.OMNICHANNEL,
        sms_unique_id=MESSAGE,
        omnimessage_id=OMNIMESSAGE,
        stat="DELIVRD",
        err=0,
        raw_err="0",
        error_text="",
        channel="sms",
        occurred_at=MOMENT,
        price=Decimal("0.2"),
        parts=2,
    )
    assert parse_with().payload == CALLBACK


@pytest.mark.parametrize(
    ("stat", "status"),
    [
        ("ACK", Status.SENT),
        ("SEEN", Status.SEEN),
        ("DELIVRD", Status.DELIVERED),
        ("UNDELIV", Status.FAILED),
        ("FAILED", Status.FAILED),
        ("UNKNOWN", Status.SENT),
        ("ACCEPTD", Status.SENT),
        ("REJECTD", Status.REJECTED),
        ("DELETED", Status.FAILED),
        ("EXPIRED", Status.FAILED),
        ("NACK", Status.FAILED),
        ("BOUNCED", None),
    ],
)
def test_parse_omnichannel__status_ignores_case_and_spaces(stat: str, status: Status | None) -> None:
    for word in (stat, stat.lower(), stat.title(), f" {stat}\n"):
        report = parse_with(status=word)
        assert report.stat == stat
        assert Status.from_report(report) is status


@pytest.mark.parametrize(
    ("err", "number", "raw"),
    [
        (None, None, ""),
        ("", None, ""),
        (0, 0, "0"),
        (4, 4, "4"),
        (999, 999, "999"),
        ("4", 4, "4"),
        ("004", 4, "004"),
        (" 4 ", 4, "4"),
        ("000", 0, "000"),
        (12345, 12345, "12345"),
        (-1, -1, "-1"),
        (2**31 - 1, 2**31 - 1, "2147483647"),
        (2**31, None, "2147483648"),
        (10**100, None, "1" + "0" * 31),
        (4.0, None, "4.0"),
        (4.5, None, "4.5"),
        (True, None, "True"),
        (False, None, "False"),
        ([], None, "[]"),
        ([4], None, "[4]"),
        ({}, None, "{}"),
        ({"code": 4}, None, "{'code': 4}"),
        ("OUT_OF_CREDITS", None, "OUT_OF_CREDITS"),
        ("\u0664", None, "\u0664"),
        ("x" * 5000, None, "x" * 32),
    ],
)
def test_parse_omnichannel__err_types(err: Any, number: int | None, raw: str) -> None:
    report = parse_with(status="FAILED", err=err)
    assert (report.err, report.raw_err) == (number, raw)
    assert report.payload["err"] == err
    assert_storable(report)


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2024-05-06T07:08:09.123456", MOMENT),
        ("2024-05-06T07:08:09.123456Z", MOMENT),
        ("2024-05-06T07:08:09.123456+00:00", MOMENT),
        ("2024-05-06T10:08:09.123456+03:00", MOMENT),
        ("2024-05-06T10:08:09.123456+0300", MOMENT),
        ("2024-05-05T21:38:09.123456-09:30", MOMENT),
        ("2024-05-06 07:08:09.123456", MOMENT),
        ("2024-05-06T07:08:09", MOMENT.replace(microsecond=0)),
        ("2024-05-06T07:08:09.123", MOMENT.replace(microsecond=123000)),
        ("2024-05-06", MOMENT.replace(hour=0, minute=0, second=0, microsecond=0)),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("2024-13-40T99:99:99", None),
        ("2024-05-06T07:08:09+99:00", None),
        ("2023-02-29T00:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1999-12-31T23:59:59", None),
        ("2200-01-01T00:00:00", None),
        ("٢٠٢٤-05-06T07:08:09", None),
        (1714979289, None),
        (1714979289.5, None),
        (True, None),
        ([], None),
        ({"at": "2024-05-06"}, None),
    ],
)
def test_parse_omnichannel__timestamp_formats(timestamp: Any, moment: datetime | None) -> None:
    report = parse_with(timestamp=timestamp)
    assert report.occurred_at == moment
    assert report.payload["timestamp"] == timestamp
    assert_storable(report)


@pytest.mark.parametrize(
    ("price_info", "price", "parts"),
    [
        (None, None, None),
        ({}, None, None),
        ([], None, None),
        ("0.2", None, None),
        (0.2, None, None),
        ({"total_price": "0.2", "parts_count": 2}, Decimal("0.2"), 2),
        ({"total_price": 0.2, "parts_count": "2"}, Decimal("0.2"), 2),
        ({"total_price": "1", "parts_count": 1}, Decimal(1), 1),
        ({"total_price": 3, "parts_count": None}, Decimal(3), None),
        ({"total_price": "0.0000005"}, Decimal(0), None),
        ({"total_price": "0.1234567"}, Decimal("0.123457"), None),
        ({"total_price": "99999999.999999"}, Decimal("99999999.999999"), None),
        ({"total_price": "100000000"}, None, None),
        ({"total_price": "-0.2"}, None, None),
        ({"total_price": "0,2"}, None, None),
        ({"total_price": "1e3"}, None, None),
        ({"total_price": "NaN"}, None, None),
        ({"total_price": "Infinity"}, None, None),
        ({"total_price": "\u0662"}, None, None),
        ({"total_price": 1e300}, None, None),
        ({"total_price": 1e-7}, None, None),
        ({"total_price": True, "parts_count": True}, None, None),
        ({"total_price": ["0.2"], "parts_count": [2]}, None, None),
        ({"parts_count": 0}, None, None),
        ({"parts_count": -1}, None, None),
        ({"parts_count": 2.0}, None, None),
        ({"parts_count": 32767}, None, 32767),
        ({"parts_count": 32768}, None, None),
        ({"parts_count": 10**50}, None, None),
    ],
)
def test_parse_omnichannel__invalid_price_is_none(price_info: Any, price: Decimal | None, parts: int | None) -> None:
    report = parse_with(price_info=price_info)
    assert (report.price, report.parts) == (price, parts)
    assert report.payload["price_info"] == price_info
    assert_storable(report)


def test_parse_omnichannel__price_rounded_to_limit_is_none() -> None:
    assert parse_with(price_info={"total_price": "99999999.9999999"}).price is None


def test_parse_omnichannel__low_decimal_precision_drops_price() -> None:
    with localcontext(prec=3):
        report = parse_with(price_info={"total_price": "12.345"})
    assert (report.price, report.stat) == (None, "DELIVRD")


@pytest.mark.parametrize("name", ["sender", "err", "to", "channel", "error", "timestamp", "price_info"])
def test_parse_omnichannel__details_are_optional(name: str) -> None:
    report = parse_without(name)
    assert (report.sms_unique_id, report.stat) == (MESSAGE, "DELIVRD")
    assert_storable(report)


@pytest.mark.parametrize("name", ["sender", "to", "channel", "error", "timestamp", "price_info", "undocumented"])
@pytest.mark.parametrize("value", [None, "", 0, 1.5, True, [], {}, [[["x"]]], {"a": {"b": None}}, "x" * 5000])
def test_parse_omnichannel__details_can_have_any_type(name: str, value: Any) -> None:
    report = parse_with(**{name: value})
    assert (report.sms_unique_id, report.stat) == (MESSAGE, "DELIVRD")
    assert report.payload[name] == value
    assert_storable(report)


@pytest.mark.parametrize("channel", ["sms", "viber", "whatsapp", "rcs", "telegram", "carrier-pigeon"])
def test_parse_omnichannel__channel_and_error(channel: str) -> None:
    report = parse_with(channel=channel, error="Sender not registered", err=7, status="REJECTD")
    assert (report.channel, report.error_text) == (channel, "Sender not registered")


def test_parse_omnichannel__truncates_channel_and_error() -> None:
    report = parse_with(channel="c" * 17, error="e" * 256)
    assert (report.channel, report.error_text) == ("c" * 16, "e" * 255)


@pytest.mark.parametrize("missing", ["message_id", "omnimessage_id"])
def test_parse_omnichannel__one_id_is_enough(missing: str) -> None:
    assert_storable(parse_without(missing))
    assert_storable(parse_with(**{missing: None}))


@pytest.mark.parametrize("err", [4, "4", 12345, "abc", 2**40])
def test_parse_omnichannel__err_without_status(err: Any) -> None:
    report = parse_with(status=None, err=err)
    assert report.stat == ""
    assert report.raw_err == str(err)


def test_parse_omnichannel__payload_omits_secrets() -> None:
    report = parse_with(username="shop", Password="pw", TOKEN="t", signature="s")
    assert report.payload == CALLBACK


MALFORMED = {
    "nothing": b"",
    "blanks": b" \n",
    "no JSON": b"stat=DELIVRD&err=",
    "null": b"null",
    "a number": b"4",
    "a string": b'"DELIVRD"',
    "a list": json.dumps([CALLBACK]).encode(),
    "half": json.dumps(CALLBACK).encode()[:-1],
    "more": json.dumps(CALLBACK).encode() + b"x",
    "an empty object": b"{}",
    "no ids": b'{"status": "DELIVRD"}',
    "blank ids": b'{"status": "DELIVRD", "message_id": "", "omnimessage_id": " "}',
    "null ids": b'{"status": "DELIVRD", "message_id": null, "omnimessage_id": null}',
    "no status and no err": b'{"message_id": "1"}',
    "a blank status and no err": b'{"message_id": "1", "status": " ", "err": ""}',
    "single quotes": str(CALLBACK).encode(),
    "invalid UTF-8": b'{"status": "DELIVRD", "message_id": "\xff"}',
    "UTF-8 of a surrogate": b'{"status": "DELIVRD", "message_id": "\xed\xa0\x80"}',
    "UTF-16": json.dumps(CALLBACK).encode("utf-16"),
    "UTF-32": json.dumps(CALLBACK).encode("utf-32"),
    "a lone surrogate in the id": b'{"status": "DELIVRD", "message_id": "\\ud800"}',
    "a lone surrogate elsewhere": b'{"status": "DELIVRD", "message_id": "1", "x": "\\udfff"}',
    "a lone surrogate in a name": b'{"status": "DELIVRD", "message_id": "1", "\\udfff": 1}',
    "NUL in the id": b'{"status": "DELIVRD", "message_id": "1\\u0000"}',
    "NUL elsewhere": b'{"status": "DELIVRD", "message_id": "1", "x": ["\\u0000"]}',
    "NUL in a name": b'{"status": "DELIVRD", "message_id": "1", "\\u0000": 1}',
    "a raw NUL": b'{"status": "DELIVRD", "message_id": "1", "x": "\0"}',
    "NaN": b'{"status": "DELIVRD", "message_id": "1", "x": NaN}',
    "Infinity": b'{"status": "DELIVRD", "message_id": "1", "x": [Infinity]}',
    "-Infinity": b'{"status": "DELIVRD", "message_id": "1", "err": -Infinity}',
    "1e999": b'{"status": "DELIVRD", "message_id": "1", "err": 1e999}',
    "an integer of 301 digits": b'{"status": "DELIVRD", "message_id": "1", "x": ' + b"9" * 301 + b"}",
    "an integer of 5000 digits": b'{"status": "DELIVRD", "message_id": "1", "err": ' + b"9" * 5000 + b"}",
    "a number for an id": b'{"status": "DELIVRD", "message_id": 1}',
    "a list for an id": b'{"status": "DELIVRD", "message_id": ["1"]}',
    "an object for an id": b'{"status": "DELIVRD", "message_id": "1", "omnimessage_id": {}}',
    "a boolean for an id": b'{"status": "DELIVRD", "message_id": true}',
    "a number for the status": b'{"status": 1, "message_id": "1"}',
    "a list for the status": b'{"status": ["DELIVRD"], "message_id": "1"}',
    "an object for the status": b'{"status": {}, "message_id": "1"}',
    "false for the status": b'{"status": false, "message_id": "1"}',
    "an id of 129 characters": json.dumps({**CALLBACK, "message_id": "x" * 129}).encode(),
    "an omnimessage's id of 129 characters": json.dumps({**CALLBACK, "omnimessage_id": "x" * 129}).encode(),
    "an id with a line break": json.dumps({**CALLBACK, "message_id": "1\n2"}).encode(),
    "a status of 33 characters": json.dumps({**CALLBACK, "status": "X" * 33}).encode(),
    "a status that grows in upper case": json.dumps({**CALLBACK, "status": "ß" * 17}).encode(),
    "a level too deep": f'{{"status": "SEEN", "message_id": "1", "x": {nested(MAX_DEPTH)}}}'.encode(),
    "too deep for MariaDB": f'{{"status": "SEEN", "message_id": "1", "x": {nested(32)}}}'.encode(),
    "too deep for a signal's stack": f'{{"status": "SEEN", "message_id": "1", "err": {nested(900)}}}'.encode(),
    "too deep for Python": f'{{"status": "SEEN", "message_id": "1", "x": {nested(30_000)}}}'.encode(),
    "an object too deep": (b'{"status": "SEEN", "message_id": "1", "x": ' + b'{"x":' * 40 + b"1" + b"}" * 41),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_parse_omnichannel__malformed_body(body: bytes) -> None:
    with pytest.raises(MalformedReport) as raised:
        parse_omnichannel(body)
    assert len(str(raised.value)) < 200
    str(raised.value).encode()


@pytest.mark.parametrize(
    "body",
    [
        f'{{"status": "SEEN", "message_id": "1", "x": {nested(MAX_DEPTH - 1)}}}'.encode(),
        b'{"status": "SEEN", "message_id": "1", "x": ' + b"9" * 300 + b"}",
        b'\xef\xbb\xbf{"status": "SEEN", "message_id": "1"}',
        b'\r\n\t {"message_id": "1", "status": "FAILED", "status": "SEEN"} \r\n',
        b'{"status": "SEEN", "message_id": "1", "x": "\\ud83d\\ude00"}',
    ],
)
def test_parse_omnichannel__unusual_but_valid_body(body: bytes) -> None:
    report = parse_omnichannel(body)
    assert report.stat == "SEEN"
    assert_storable(report)


def assert_parsed_or_rejected(body: bytes) -> None:
    try:
        report = parse_omnichannel(body)
    except MalformedReport:
        return
    assert report.source is Source.OMNICHANNEL
    assert_storable(report)


@unhurried
@given(body=st.binary() | st.text().map(str.encode))
def test_parse_omnichannel__accepts_or_rejects_any_bytes(body: bytes) -> None:
    assert_parsed_or_rejected(body)


@unhurried
@given(value=json_values)
def test_parse_omnichannel__accepts_or_rejects_any_json(value: Any) -> None:
    assert_parsed_or_rejected(json.dumps(value).encode())


@unhurried
@given(changes=st.dictionaries(st.sampled_from(sorted(CALLBACK)) | odd_text, json_values, max_size=6))
def test_parse_omnichannel__accepts_or_rejects_any_fields(changes: dict[str, Any]) -> None:
    assert_parsed_or_rejected(json.dumps({**CALLBACK, **changes}).encode())


@unhurried
@given(info=st.dictionaries(st.sampled_from(["part_price", "parts_count", "total_price"]), json_values))
def test_parse_omnichannel__accepts_or_rejects_any_price(info: dict[str, Any]) -> None:
    assert_parsed_or_rejected(json.dumps({**CALLBACK, "price_info": info}).encode())


@unhurried
@given(order=st.permutations(sorted(CALLBACK)))
def test_parse_omnichannel__ignores_order_of_fields(order: list[str]) -> None:
    body = json.dumps({name: CALLBACK[name] for name in order}).encode()
    assert parse_omnichannel(body) == parse_with()
    assert parse_omnichannel(body).fingerprint("default") == parse_with().fingerprint("default")


def test_restore_report__equals_parsed_report() -> None:
    report = parse_with(status="FAILED", err=7, error="Sender not registered", channel="viber")
    restored = restore_report(
        report.source,
        json.loads(json.dumps(report.payload)),
        sms_unique_id=report.sms_unique_id,
        omnimessage_id=report.omnimessage_id,
        stat=report.stat,
        err=report.err,
        raw_err=report.raw_err,
        occurred_at=report.occurred_at,
    )
    assert restored == report
