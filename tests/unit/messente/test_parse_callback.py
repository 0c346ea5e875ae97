"""`parse_callback`: the documented spellings of a GET callback, and malformed ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.parsers import parse_callback, restore_report
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models.statuses import Status
from tests.unit.messente.storable import assert_storable, odd_text, unhurried, words

# Documentation: "Delivery Report".
EXAMPLE_URL = "https://myservice.com/dlr/messente/239d8/?sms_unique_id=sms123&stat=DELIVRD&err="
STATS = ["DELIVRD", "UNDELIV", "FAILED", "UNKNOWN", "ACCEPTD", "REJECTD", "DELETED", "EXPIRED", "NACK"]
NAMES = ["sms_unique_id", "stat", "status", "err", "dlr-mask"]


def test_parse_callback__documented_example_is_delivered() -> None:
    report = parse_callback(urlsplit(EXAMPLE_URL).query)
    assert report.source is Source.CALLBACK
    assert report.sms_unique_id == "sms123"
    assert (report.stat, report.err, report.raw_err) == ("DELIVRD", None, "")
    assert report.payload == {"sms_unique_id": "sms123", "stat": "DELIVRD", "err": ""}
    assert Status.from_report(report) is Status.DELIVERED


@pytest.mark.parametrize("stat", STATS)
@pytest.mark.parametrize("spelling", ["{}", "%20{}%0a", "+{}+"])
def test_parse_callback__stat_ignores_case_and_spaces(stat: str, spelling: str) -> None:
    for word in (stat, stat.lower(), stat.title(), stat.swapcase()):
        assert parse_callback(f"sms_unique_id=sms123&err=&stat={spelling.format(word)}").stat == stat


@pytest.mark.parametrize(
    ("err", "number", "raw"),
    [
        ("", None, ""),
        ("&err", None, ""),
        ("&err=", None, ""),
        ("&err=+", None, ""),
        ("&err=0", 0, "0"),
        ("&err=000", 0, "000"),
        ("&err=4", 4, "4"),
        ("&err=004", 4, "004"),
        ("&err=%204%20", 4, "4"),
        ("&err=999", 999, "999"),
        ("&err=12345", 12345, "12345"),
        ("&err=-1", -1, "-1"),
        ("&err=2147483647", 2**31 - 1, "2147483647"),
        ("&err=-2147483647", 1 - 2**31, "-2147483647"),
        ("&err=2147483648", None, "2147483648"),
        ("&err=99999999999999999999", None, "99999999999999999999"),
        ("&err=" + "9" * 900, None, "9" * 32),
        ("&err=4.0", None, "4.0"),
        ("&err=4e2", None, "4e2"),
        ("&err=0x4", None, "0x4"),
        ("&err=1_0", None, "1_0"),
        ("&err=NaN", None, "NaN"),
        ("&err=null", None, "null"),
        ("&err=%D9%A4", None, "\u0664"),  # an Arabic-Indic 4, which int() accepts
        ("&err=%EF%BC%94", None, "\uff14"),  # a full-width 4
        ("&err=%C2%B2", None, "\u00b2"),  # accepted by str.isdigit(), but not by int()
    ],
)
def test_parse_callback__err_spellings(err: str, number: int | None, raw: str) -> None:
    report = parse_callback(f"sms_unique_id=sms123&stat=FAILED{err}")
    assert (report.err, report.raw_err) == (number, raw)
    assert_storable(report)


@pytest.mark.parametrize(
    ("query", "stat", "status"),
    [
        # the parameter status of older documents
        ("status=DELIVERED", "DELIVERED", Status.DELIVERED),
        ("status=delivered", "DELIVERED", Status.DELIVERED),
        ("status=FAILED", "FAILED", Status.FAILED),
        ("status=SENT", "SENT", Status.SENT),
        # the parameter dlr-mask of an older help page
        ("dlr-mask=1", "DELIVERED", Status.DELIVERED),
        ("dlr-mask=2", "FAILED", Status.FAILED),
        ("dlr-mask=16", "FAILED", Status.FAILED),
        ("dlr-mask=4", "SENT", Status.SENT),
        ("dlr-mask=8", "SENT", Status.SENT),
        ("dlr-mask=+1+", "DELIVERED", Status.DELIVERED),
        ("dlr-mask=01", "DELIVERED", Status.DELIVERED),
        ("dlr-mask=32", "DLR-MASK 32", None),
        ("dlr-mask=3", "DLR-MASK 3", None),
        ("dlr-mask=0", "DLR-MASK 0", None),
        ("dlr-mask=x", "DLR-MASK X", None),
        # stat precedes status, and status precedes dlr-mask
        ("stat=UNDELIV&status=DELIVERED&dlr-mask=1", "UNDELIV", Status.FAILED),
        ("status=FAILED&dlr-mask=1", "FAILED", Status.FAILED),
        ("dlr-mask=1&status=FAILED&stat=ACCEPTD", "ACCEPTD", Status.SENT),
        ("stat=&status=SENT&dlr-mask=1", "SENT", Status.SENT),
        ("stat=+&status=%09&dlr-mask=1", "DELIVERED", Status.DELIVERED),
        ("stat=UNKNOWN&status=DELIVERED", "UNKNOWN", Status.SENT),
        # known status codes precede unknown ones
        ("stat=BOUNCED&status=FAILED", "FAILED", Status.FAILED),
        ("stat=BOUNCED&dlr-mask=1", "DELIVERED", Status.DELIVERED),
        ("stat=BOUNCED&status=LOST&dlr-mask=64", "BOUNCED", None),
        ("stat=bounced", "BOUNCED", None),
        ("stat=%C3%B5nnestus", "ÕNNESTUS", None),
        # err without a status code
        ("err=4", "", Status.REJECTED),
        ("err=999", "", Status.FAILED),
        ("err=10", "", Status.SEEN),
        ("err=0", "", None),
        ("err=12345", "", None),
        ("err=abc", "", None),
        ("err=99999999999", "", None),
    ],
)
def test_parse_callback__precedence_of_status_codes(query: str, stat: str, status: Status | None) -> None:
    report = parse_callback(f"sms_unique_id=sms123&{query}")
    assert report.stat == stat
    assert Status.from_report(report) is status
    assert report.sms_unique_id == "sms123"


def test_parse_callback__payload_omits_secrets() -> None:
    report = parse_callback(
        "sms_unique_id=sms123&stat=DelivRD&err=004&mccmnc=24801&operator=T%C3%B6&empty=&a=1&a=2"
        "&username=shop&PASSWORD=pw&Token=t&signature=s"
    )
    assert report.payload == {
        "sms_unique_id": "sms123",
        "stat": "DelivRD",
        "err": "004",
        "mccmnc": "24801",
        "operator": "Tö",
        "empty": "",
        "a": "2",
    }


@pytest.mark.parametrize(
    "sms_unique_id",
    [
        "d92bb23c3c68f018d92bb23c3c68f018",
        "d92bb23c3c68f018d92bb23c3c68f018d92bb23c",
        "11111111-1111-4111-8111-111111111111",
        "free text: +372 #7/õ",
        "OK",
        "0",
        "x" * 128,
        "\U0001f600" * 128,
    ],
)
def test_parse_callback__id_is_opaque_text(sms_unique_id: str) -> None:
    report = parse_callback(urlencode({"sms_unique_id": sms_unique_id, "stat": "DELIVRD"}))
    assert report.sms_unique_id == sms_unique_id


@pytest.mark.parametrize("query", ["stat=DELIVRD", "sms_unique_id=&stat=DELIVRD", "sms_unique_id=+&stat=DELIVRD"])
def test_parse_callback__id_is_optional(query: str) -> None:
    assert parse_callback(query).sms_unique_id == ""


@pytest.mark.parametrize("name", NAMES)
def test_parse_callback__equal_repetition_is_accepted(name: str) -> None:
    parameters = {"sms_unique_id": "sms123", "stat": "FAILED", "status": "FAILED", "err": "4", "dlr-mask": "2"}
    query = urlencode(parameters)
    assert parse_callback(f"{query}&{name}={parameters[name]}") == parse_callback(query)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", ["", "1", "sms124"])
def test_parse_callback__contradiction_is_malformed(name: str, other: str) -> None:
    query = urlencode({"sms_unique_id": "sms123", "stat": "FAILED", "status": "FAILED", "err": "4", "dlr-mask": "2"})
    with pytest.raises(MalformedReport, match=f"has {name} twice"):
        parse_callback(f"{query}&{name}={other}")


MALFORMED = {
    "nothing": "",
    "only separators": "&&&=&",
    "an id alone": "sms_unique_id=sms123",
    "blank everything": "sms_unique_id=sms123&stat=&status=&err=&dlr-mask=",
    "parameters of others": "message=1&state=delivered",
    "names in another case": "SMS_UNIQUE_ID=sms123&STAT=DELIVRD",
    "NUL in the id": "sms_unique_id=sms%00123&stat=DELIVRD",
    "NUL in stat": "sms_unique_id=sms123&stat=DELIVRD%00",
    "NUL in another value": "sms_unique_id=sms123&stat=DELIVRD&x=%00",
    "NUL in a name": "sms_unique_id=sms123&stat=DELIVRD&%00=x",
    "a raw NUL": "sms_unique_id=sms123&stat=DELIVRD&x=\0",
    "invalid UTF-8 in the id": "sms_unique_id=%ff%fe&stat=DELIVRD",
    "invalid UTF-8 in stat": "sms_unique_id=sms123&stat=%c3",
    "invalid UTF-8 elsewhere": "sms_unique_id=sms123&stat=DELIVRD&x=%80",
    "overlong UTF-8": "sms_unique_id=sms123&stat=DELIVRD&x=%c0%80",
    "an encoded surrogate": "sms_unique_id=%ed%a0%80&stat=DELIVRD",
    "not percent-encoded": "sms_unique_id=õ&stat=DELIVRD",
    "a lone surrogate": "sms_unique_id=\ud800&stat=DELIVRD",
    "an id of 129 characters": f"sms_unique_id={'x' * 129}&stat=DELIVRD",
    "an id with a line break": "sms_unique_id=sms%0a123&stat=DELIVRD",
    "an id with a text direction": "sms_unique_id=sms%e2%80%ae123&stat=DELIVRD",
    "an id with a zero-width space": "sms_unique_id=sms%e2%80%8b123&stat=DELIVRD",
    "a stat of 33 characters": f"sms_unique_id=sms123&stat={'X' * 33}",
    "a stat that grows in upper case": f"sms_unique_id=sms123&stat={quote('ß' * 17)}",
    "a dlr-mask of 33 characters": f"sms_unique_id=sms123&dlr-mask={'9' * 33}",
    "a value of 1001 characters": f"sms_unique_id=sms123&stat=DELIVRD&x={'x' * 1001}",
    "a name of 65 characters": f"sms_unique_id=sms123&stat=DELIVRD&{'x' * 65}=1",
    "51 parameters": "sms_unique_id=sms123&stat=DELIVRD" + "&a=1" * 49,
}


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED)
def test_parse_callback__malformed_query(query: str) -> None:
    with pytest.raises(MalformedReport) as raised:
        parse_callback(query)
    assert len(str(raised.value)) < 200
    str(raised.value).encode()


def test_parse_callback__accepts_50_parameters() -> None:
    assert parse_callback("sms_unique_id=sms123&stat=DELIVRD" + "&a=1" * 48).stat == "DELIVRD"


def assert_parsed_or_rejected(query: str) -> None:
    try:
        report = parse_callback(query)
    except MalformedReport:
        return
    assert report.source is Source.CALLBACK
    assert_storable(report)


@unhurried
@given(query=st.text(st.characters(exclude_categories=())))
@example(query="stat=%00")
@example(query="stat=%")
@example(query="stat=%u0041;err=1")
def test_parse_callback__accepts_or_rejects_any_query(query: str) -> None:
    assert_parsed_or_rejected(query)


@unhurried
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*NAMES, "text", "password"]) | odd_text,
            st.binary(max_size=20) | words | odd_text.map(lambda text: text.encode("utf-8", "surrogatepass")),
        ),
        max_size=8,
    )
)
def test_parse_callback__accepts_or_rejects_any_parameters(pairs: list[tuple[str, Any]]) -> None:
    assert_parsed_or_rejected(
        "&".join(f"{quote(name.encode('utf-8', 'surrogatepass'))}={quote(value)}" for name, value in pairs)
    )


@unhurried
@given(st.permutations(["sms_unique_id=sms123", "stat=FAILED", "err=004", "status=FAILED", "x=y"]))
def test_parse_callback__ignores_order_of_parameters(parameters: list[str]) -> None:
    report = parse_callback("&".join(parameters))
    assert report.fingerprint("default") == parse_callback("&".join(sorted(parameters))).fingerprint("default")


def test_restore_report__ignores_undocumented_callback_fields() -> None:
    """A GET callback has no documented price, channel or error text, so parameters with these names are ignored."""
    report = parse_callback("sms_unique_id=sms123&stat=FAILED&err=4&channel=viber&error=No+credit&price_info=1")
    restored = restore_report(
        report.source, report.payload, sms_unique_id=report.sms_unique_id, stat=report.stat, err=report.err
    )
    assert (restored.channel, restored.error_text, restored.price, restored.parts) == ("", "", None, None)
    assert (restored.channel, restored.error_text) == (report.channel, report.error_text)
    assert Status.from_report(restored) is Status.from_report(report) is Status.REJECTED
