"""Parsers for delivery reports, one for each source.

GET callbacks have a query string, and Omnichannel callbacks a JSON body. ``get_dlr_response`` returns plain text,
and the status of an omnimessage is JSON.

Each parser returns a `Report`, or raises a `MalformedReport` that names the defect. Unknown status codes and error
codes are not errors: ``stat`` and ``payload`` keep them as received.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from django_messente_dlr.messente import field_parsers
from django_messente_dlr.messente.codes import Stat
from django_messente_dlr.messente.errors import MalformedReport
from django_messente_dlr.messente.reports import Report, Source
from django_messente_dlr.messente.response_codes import ResponseCode

# The older parameter dlr-mask (help centre: "Delivery report"): 1 delivered; 2 and 16 failed; 4 and 8 sent.
DLR_MASKS = {1: Stat.DELIVERED, 2: Stat.FAILED, 16: Stat.FAILED, 4: Stat.SENT, 8: Stat.SENT}
MAX_PARAMETERS = 50
# A report in which one of these occurs twice with different values is ambiguous.
UNIQUE_PARAMETERS = ("sms_unique_id", "stat", "status", "err", "dlr-mask")
SECRET_FIELDS = frozenset({"password", "username", "token", "signature"})


def parse_callback(query: str) -> Report:
    """Parse the query string of a GET callback (documentation: "Delivery Report", SMS API).

    Args:
        query: the raw query string, percent-encoded.

    Raises:
        MalformedReport: the query string is not a valid report.
    """
    payload = _parse_parameters(query)
    stat = next((code for code in _status_codes(payload) if Stat.from_code(code)), None)
    if stat is None:
        stat = next(_status_codes(payload), "")
    err, raw_err = field_parsers.int_or_raw(payload.get("err", ""))
    if not stat and not raw_err:
        raise MalformedReport("it has neither stat, status, dlr-mask nor err")
    return Report(
        source=Source.CALLBACK,
        sms_unique_id=field_parsers.identifier(payload.get("sms_unique_id", ""), name="sms_unique_id"),
        stat=field_parsers.status_word(stat),
        err=err,
        raw_err=raw_err,
        payload=_without_secrets(payload),
    )


def parse_omnichannel(body: bytes) -> Report:
    """Parse the JSON body of an Omnichannel callback (documentation: "Omnichannel API", delivery report webhook).

    Args:
        body: the request body, exactly as received.

    Raises:
        MalformedReport: the body is not a valid report.
    """
    payload = field_parsers.json_object(body)
    report = _parse_message_status(payload, Source.OMNICHANNEL, omnimessage_id=payload.get("omnimessage_id"))
    if not report.sms_unique_id and not report.omnimessage_id:
        raise MalformedReport("it has neither message_id nor omnimessage_id")
    if not report.stat and not report.raw_err:
        raise MalformedReport("it has neither status nor err")
    return report


def parse_status(body: bytes) -> list[Report | None]:
    """Parse the status of an omnimessage and return one item for each channel's message.

    An item is None if the message has no report yet. In that case its status is null (official client:
    messente-api, model ``Status``).

    Args:
        body: the response body, exactly as received.

    Raises:
        MalformedReport: the body is not a valid status.
    """
    payload = field_parsers.json_object(body)
    statuses = payload.get("statuses")
    if not isinstance(statuses, list) or not all(isinstance(status, dict) for status in statuses):
        raise MalformedReport("it has no list of statuses")
    return [
        _parse_message_status(status, Source.POLL, omnimessage_id=payload.get("omnimessage_id"))
        if status.get("status")
        else None
        for status in statuses
    ]


def parse_answer(text: str, *, sms_unique_id: str) -> Report | None:
    """Parse the response of ``get_dlr_response``. Return None if Messente has no report yet (``FAILED 102``).

    Args:
        text: the plain text of the response.
        sms_unique_id: the ID of the message, which the response does not contain.

    Raises:
        MalformedReport: the text is neither ``OK`` with a status code nor ``FAILED 102``.
    """
    if ResponseCode.from_code(text) is ResponseCode.NO_REPORT_YET:
        return None
    # str.lstrip("OK ") would also remove leading letters of the status code.
    ok, _, status_text = text.strip().partition(" ")
    if ok.upper() != "OK" or not status_text.strip():
        raise MalformedReport("it is neither OK with a status code nor FAILED 102")
    return Report(
        source=Source.POLL,
        sms_unique_id=sms_unique_id,
        stat=field_parsers.status_word(status_text.split()[0]),
        payload={"answer": field_parsers.bounded_text(text.strip(), name="answer", limit=200)},
    )


def restore_report(source: Source, payload: Mapping[str, Any], **attributes: Any) -> Report:
    """Return the report of a stored row.

    The attributes that are not stored in columns of their own are parsed from the payload.

    Args:
        source: the source of the report.
        payload: the payload of the report.
        attributes: the attributes that are stored in columns of their own.
    """
    # A GET callback has no documented price, channel or error text, so parse_callback does not parse them either.
    details = {} if source is Source.CALLBACK else _parse_details(payload)
    return Report(source=source, payload=payload, **attributes, **details)


def _parse_parameters(query: str) -> dict[str, str]:
    if not query.isascii():
        raise MalformedReport("its query string is not percent-encoded")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:  # not UTF-8, or too many parameters
        raise MalformedReport("its query string is not valid") from exc
    payload: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = field_parsers.bounded_text(raw_name, name="a parameter's name", limit=64)
        value = field_parsers.bounded_text(raw_value, name=name, limit=1000)
        if name in UNIQUE_PARAMETERS and payload.get(name, value) != value:
            raise MalformedReport(f"it has {name} twice, with different values")
        payload[name] = value
    return payload


def _status_codes(payload: Mapping[str, str]) -> Iterator[str]:
    """Yield the status codes of a callback, the most precise first: stat, then status, then dlr-mask."""
    for name in ("stat", "status"):
        if code := payload.get(name, "").strip():
            yield code
    mask = payload.get("dlr-mask", "").strip()
    if mask:
        number, _ = field_parsers.int_or_raw(mask)
        yield DLR_MASKS[number].value if number in DLR_MASKS else f"DLR-MASK {mask}"


def _parse_message_status(payload: Mapping[str, Any], source: Source, *, omnimessage_id: Any) -> Report:
    err, raw_err = field_parsers.int_or_raw(payload.get("err"))
    return Report(
        source=source,
        sms_unique_id=field_parsers.identifier(payload.get("message_id"), name="message_id"),
        omnimessage_id=field_parsers.identifier(omnimessage_id, name="omnimessage_id"),
        stat=field_parsers.status_word(field_parsers.json_string(payload.get("status"), name="status")),
        err=err,
        raw_err=raw_err,
        occurred_at=field_parsers.timestamp(payload.get("timestamp")),
        payload=_without_secrets(payload),
        **_parse_details(payload),
    )


def _parse_details(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that are optional in a report. Invalid values do not make the report malformed."""
    price_info = payload.get("price_info")
    if not isinstance(price_info, dict):
        price_info = {}
    return {
        "error_text": field_parsers.truncated(payload.get("error"), limit=255),
        "channel": field_parsers.truncated(payload.get("channel"), limit=16),
        "price": field_parsers.amount(price_info.get("total_price")),
        "parts": field_parsers.count(price_info.get("parts_count")),
    }


def _without_secrets(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name.lower() not in SECRET_FIELDS}
