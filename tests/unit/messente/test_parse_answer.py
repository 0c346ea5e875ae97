"""`parse_answer`: the plain text of ``get_dlr_response``."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.parsers import parse_answer
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models.statuses import Status
from tests.unit.messente.storable import assert_storable, odd_text, unhurried


@pytest.mark.parametrize(
    ("answer", "stat", "status"),
    [
        ("OK DELIVERED", "DELIVERED", Status.DELIVERED),
        ("OK FAILED", "FAILED", Status.FAILED),
        ("OK SENT", "SENT", Status.SENT),
        ("ok delivered", "DELIVERED", Status.DELIVERED),
        ("OK DELIVERED\r\n", "DELIVERED", Status.DELIVERED),
        ("  OK   DELIVERED  now", "DELIVERED", Status.DELIVERED),
        # lstrip("OK ") would remove the first letters of these status codes
        ("OK OK", "OK", None),
        ("OK KO", "KO", None),
        ("OK ODD", "ODD", None),
        ("OK REJECTD", "REJECTD", Status.REJECTED),
        ("OK 102", "102", None),
        ("OK bounced", "BOUNCED", None),
    ],
)
def test_parse_answer__ok_with_status_code_is_report(answer: str, stat: str, status: Status | None) -> None:
    report = parse_answer(answer, sms_unique_id="sms123")
    assert report is not None
    assert (report.source, report.sms_unique_id, report.stat, report.err) == (Source.POLL, "sms123", stat, None)
    assert report.payload == {"answer": answer.strip()}
    assert Status.from_report(report) is status


@pytest.mark.parametrize("answer", ["FAILED 102", "failed 102", " FAILED 102\n", "FAILED 102 no report yet"])
def test_parse_answer__failed_102_is_none(answer: str) -> None:
    assert parse_answer(answer, sms_unique_id="sms123") is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " \n",
        "OK",
        "OK ",
        "OKDELIVERED",
        "DELIVERED",
        "DELIVERED OK",
        "ERROR 101",
        "ERROR 102",
        "ERROR 103",
        "ERROR 107",
        "FAILED",
        "FAILED 1020",
        "FAILED 209",
        "FAILED 103",
        "<html>OK DELIVERED</html>",
        '{"status": "DELIVRD"}',
        f"OK {'x' * 33}",
        f"OK {'ß' * 17}",
        f"OK DELIVERED {'x' * 200}",
        "OK DELI\0VERED",
        "OK DELIVERED \0",
        "OK DELIVERED \ud800",
    ],
)
def test_parse_answer__other_text_is_malformed(answer: str) -> None:
    with pytest.raises(MalformedReport):
        parse_answer(answer, sms_unique_id="sms123")


@unhurried
@given(answer=odd_text | odd_text.map("OK {}".format) | st.text().map("FAILED {}".format))
@example(answer="OK SENT")
@example(answer="FAILED 102")
@example(answer="OK\x1cDELIVERED")
@example(answer="OK \x1c")
@example(answer="OK \u3000")
def test_parse_answer__accepts_or_rejects_any_text(answer: str) -> None:
    try:
        report = parse_answer(answer, sms_unique_id="sms123")
    except MalformedReport:
        return
    if report is not None:
        assert report.stat
        assert_storable(report)
