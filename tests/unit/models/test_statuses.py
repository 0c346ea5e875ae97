"""The Status of a report for each pair of ``stat`` and ``err``. Source: the tables in Messente's documentation."""

from __future__ import annotations

import pytest

from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.models.statuses import RANKS, Status

NAMES = {
    "d": Status.DELIVERED,
    "v": Status.SEEN,
    "s": Status.SENT,
    "f": Status.FAILED,
    "r": Status.REJECTED,
    "-": None,
}
# 11, 12345 and -1 are not documented.
ERRS = (None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 999, 11, 12345, -1)
# One column for each of ERRS. An err of the class failed or rejected is a failure for every stat but a delivery, and
# rejected precedes failed. Any other err decides only if stat is UNKNOWN, empty or not recognised.
TABLE = {
    #            –  0  1  2  3  4  5  6  7  8  9  10 999 11 12345 -1
    "DELIVRD": " d  d  d  d  d  d  d  d  d  d  d  d  d   d  d     d",
    "DELIVERED": "d d  d  d  d  d  d  d  d  d  d  d  d   d  d     d",
    "SEEN": "    v  v  v  v  v  v  v  v  v  v  v  v  v   v  v     v",
    "ACCEPTD": " s  s  f  f  f  r  f  r  r  r  r  s  f   s  s     s",
    "ACK": "     s  s  f  f  f  r  f  r  r  r  r  s  f   s  s     s",
    "SENT": "    s  s  f  f  f  r  f  r  r  r  r  s  f   s  s     s",
    "UNKNOWN": " s  s  f  f  f  r  f  r  r  r  r  v  f   s  s     s",
    "UNDELIV": " f  f  f  f  f  r  f  r  r  r  r  f  f   f  f     f",
    "FAILED": "  f  f  f  f  f  r  f  r  r  r  r  f  f   f  f     f",
    "EXPIRED": " f  f  f  f  f  r  f  r  r  r  r  f  f   f  f     f",
    "DELETED": " f  f  f  f  f  r  f  r  r  r  r  f  f   f  f     f",
    "NACK": "    f  f  f  f  f  r  f  r  r  r  r  f  f   f  f     f",
    "REJECTD": " r  r  r  r  r  r  r  r  r  r  r  r  r   r  r     r",
    "": "        -  -  f  f  f  r  f  r  r  r  r  v  f   -  -     -",
    "BOUNCED": " -  -  f  f  f  r  f  r  r  r  r  v  f   -  -     -",
    "DLR-MASK 3": "- - f  f  f  r  f  r  r  r  r  v  f   -  -     -",
}
CASES = [(stat, err, NAMES[cell]) for stat, row in TABLE.items() for err, cell in zip(ERRS, row.split(), strict=True)]


@pytest.mark.parametrize(("stat", "err", "expected"), CASES)
def test_from_report__follows_the_documented_tables(stat: str, err: int | None, expected: Status | None) -> None:
    report = Report(source=Source.CALLBACK, sms_unique_id="sms123", stat=stat, err=err)
    assert Status.from_report(report) is expected


@pytest.mark.parametrize("source", Source)
def test_from_report__ignores_the_source(source: Source) -> None:
    assert Status.from_report(Report(source=source, stat="FAILED", err=4)) is Status.REJECTED


def test_rank__of_each_status() -> None:
    assert {status.value: status.rank for status in Status} == {
        "queued": 0,
        "sent": 10,
        "unresolved": 20,
        "failed": 30,
        "rejected": 40,
        "cancelled": 45,
        "delivered": 50,
        "seen": 60,
    }
    assert RANKS[Status.SEEN] == max(RANKS.values())


@pytest.mark.parametrize(
    ("status", "final", "failure", "delivery"),
    [
        (Status.QUEUED, False, False, False),
        (Status.SENT, False, False, False),
        (Status.UNRESOLVED, False, False, False),
        (Status.FAILED, True, True, False),
        (Status.REJECTED, True, True, False),
        (Status.CANCELLED, True, False, False),
        (Status.DELIVERED, True, False, True),
        (Status.SEEN, True, False, True),
    ],
)
def test_status__is_final_failure_or_delivery(status: Status, *, final: bool, failure: bool, delivery: bool) -> None:
    assert (status.is_final, status.is_failure, status.is_delivery) == (final, failure, delivery)


def test_label__of_each_status_is_unique() -> None:
    assert len({str(status.label) for status in Status}) == len(Status)
    assert all(str(status.label)[:1].isupper() for status in Status)
