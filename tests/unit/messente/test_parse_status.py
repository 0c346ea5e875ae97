"""`parse_status`: the status of an omnimessage in the Omnichannel API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.parsers import parse_status
from django_messente_dlr.messente.reports import Report, Source
from tests.unit.messente.storable import assert_storable, json_values, odd_text, unhurried
from tests.unit.messente.test_parse_omnichannel import CALLBACK, MESSAGE, MOMENT, OMNIMESSAGE

STATUS = {name: value for name, value in CALLBACK.items() if name not in {"omnimessage_id", "to"}}


def parse_statuses(*statuses: Any, **changes: Any) -> list[Report | None]:
    answer = {"omnimessage_id": OMNIMESSAGE, "to": "+37255500000", "statuses": list(statuses), **changes}
    return parse_status(json.dumps(answer).encode())


def parse_reports(*statuses: Any, **changes: Any) -> list[Report]:
    return [report for report in parse_statuses(*statuses, **changes) if report]


def test_parse_status__returns_report_for_each_channel() -> None:
    viber = {**STATUS, "message_id": "33333333", "channel": "viber", "status": "FAILED", "err": 3}
    first, second = parse_reports(viber, STATUS)
    assert (first.sms_unique_id, first.channel, first.stat, first.err) == ("33333333", "viber", "FAILED", 3)
    assert (second.sms_unique_id, second.channel, second.stat, second.err) == (MESSAGE, "sms", "DELIVRD", 0)
    assert {first.omnimessage_id, second.omnimessage_id} == {OMNIMESSAGE}
    assert {first.source, second.source} == {Source.POLL}
    assert second.occurred_at == MOMENT
    assert second.payload == STATUS


def test_parse_status__pending_message_is_none() -> None:
    assert parse_statuses({**STATUS, "status": None, "err": None}) == [None]
    assert parse_statuses({**STATUS, "status": ""}, {"message_id": MESSAGE}, {}) == [None, None, None]
    assert [report and report.stat for report in parse_statuses({**STATUS, "status": None}, STATUS)] == [
        None,
        "DELIVRD",
    ]


def test_parse_status__empty_list_has_no_reports() -> None:
    assert parse_reports() == []


def test_parse_status__omnimessage_id_is_optional() -> None:
    (report,) = parse_reports(STATUS, omnimessage_id=None)
    assert (report.sms_unique_id, report.omnimessage_id) == (MESSAGE, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"OK DELIVERED",
        b"{}",
        b'{"statuses": null}',
        b'{"statuses": {}}',
        b'{"statuses": "DELIVRD"}',
        b'{"statuses": [null]}',
        b'{"statuses": [[]]}',
        b'{"statuses": ["DELIVRD"]}',
        b'{"statuses": [{"status": 1}]}',
        b'{"statuses": [{"status": ["DELIVRD"]}]}',
        b'{"statuses": [{"status": "DELIVRD", "message_id": 7}]}',
        b'{"statuses": [{"status": "DELIVRD", "err": NaN}]}',
        b'{"statuses": [{"status": "DELIVRD", "x": "\\u0000"}]}',
        b'{"statuses": [{"status": "DELIVRD", "x": "\\ud800"}]}',
        b'{"statuses": [{"status": "DELIVRD"}], "omnimessage_id": 7}',
        b'{"errors": [{"title": "Not found", "detail": "", "code": "102", "source": "omnimessage"}]}',
        b'{"statuses": [{"status": "DELIVRD", "x": ' + b"[" * 30 + b"]" * 30 + b"}]}",
        json.dumps({"statuses": [{**STATUS, "message_id": "x" * 129}]}).encode(),
        json.dumps({"statuses": [{**STATUS, "status": "x" * 33}]}).encode(),
    ],
)
def test_parse_status__other_body_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReport):
        parse_status(body)


def assert_parsed_or_rejected(body: bytes) -> None:
    try:
        reports = parse_status(body)
    except MalformedReport:
        return
    for report in filter(None, reports):
        assert report.source is Source.POLL
        assert report.stat or report.payload["status"].isspace()
        assert_storable(report)


@unhurried
@given(body=st.binary())
def test_parse_status__accepts_or_rejects_any_bytes(body: bytes) -> None:
    assert_parsed_or_rejected(body)


@unhurried
@given(
    statuses=json_values
    | st.lists(st.dictionaries(st.sampled_from(sorted(STATUS)) | odd_text, json_values, max_size=5), max_size=3),
    omnimessage_id=json_values,
)
def test_parse_status__accepts_or_rejects_any_statuses(statuses: Any, omnimessage_id: Any) -> None:
    if isinstance(statuses, list):
        statuses = [{**STATUS, **status} if isinstance(status, dict) else status for status in statuses]
    assert_parsed_or_rejected(json.dumps({"omnimessage_id": omnimessage_id, "statuses": statuses}).encode())
