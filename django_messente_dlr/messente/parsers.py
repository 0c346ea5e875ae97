"""The readers of delivery reports, one for each of Messente's ways of telling.

In comes what went over the wire: the query string of a GET callback, the body of an Omnichannel callback, the
plain text of ``get_dlr_response`` or the JSON of an omnimessage's status. Out comes a `Report`, or a
`MalformedReport` that says what is wrong. Words and numbers that we do not know are no errors: they stay in
``stat`` and ``payload`` as they came.
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

# The older parameter dlr-mask (help centre: «Delivery report»): 1 delivered; 2 and 16 failed; 4 and 8 sent.
DLR_MASKS = {1: Stat.DELIVERED, 2: Stat.FAILED, 16: Stat.FAILED, 4: Stat.SENT, 8: Stat.SENT}
MAX_PARAMETERS = 50
# Told twice and differently, these leave open what is meant.
DECISIVE = ("sms_unique_id", "stat", "status", "err", "dlr-mask")
SECRETS = frozenset({"password", "username", "token", "signature"})


def parse_callback(query: str) -> Report:
    """Read the query string of a GET callback (documentation: «Delivery Report», SMS API).

    Args:
        query: the raw query string, still percent-encoded.

    Raises:
        MalformedReport: where it cannot be a report.
    """
    payload = _parameters(query)
    word = next((word for word in _words(payload) if Stat.from_code(word)), None)
    if word is None:
        word = next(_words(payload), "")
    err, raw_err = field_parsers.int_or_raw(payload.get("err", ""))
    if not word and not raw_err:
        raise MalformedReport("it tells neither stat, status, dlr-mask nor err")
    return Report(
        source=Source.CALLBACK,
        sms_unique_id=field_parsers.identifier(payload.get("sms_unique_id", ""), name="sms_unique_id"),
        stat=field_parsers.status_word(word),
        err=err,
        raw_err=raw_err,
        payload=_without_secrets(payload),
    )


def parse_omnichannel(body: bytes) -> Report:
    """Read the JSON body of an Omnichannel callback (documentation: «Omnichannel API», delivery report webhook).

    Args:
        body: the request body as it came.

    Raises:
        MalformedReport: where it cannot be a report.
    """
    payload = field_parsers.json_object(body)
    report = _from_omnichannel(payload, Source.OMNICHANNEL, omnimessage_id=payload.get("omnimessage_id"))
    if not report.sms_unique_id and not report.omnimessage_id:
        raise MalformedReport("it has neither message_id nor omnimessage_id")
    if not report.stat and not report.raw_err:
        raise MalformedReport("it tells neither status nor err")
    return report


def parse_status(body: bytes) -> list[Report | None]:
    """Read the answer to the question for an omnimessage's status, a report for each of its channels' messages.

    A message whose status is null is still under way (official client: messente-api, model ``Status``), so there
    is no report about it yet, but None.

    Args:
        body: the response's body as it came.

    Raises:
        MalformedReport: where it cannot be such an answer.
    """
    answer = field_parsers.json_object(body)
    statuses = answer.get("statuses")
    if not isinstance(statuses, list) or not all(isinstance(status, dict) for status in statuses):
        raise MalformedReport("it has no list of statuses")
    return [
        _from_omnichannel(status, Source.POLL, omnimessage_id=answer.get("omnimessage_id"))
        if status.get("status")
        else None
        for status in statuses
    ]


def parse_answer(text: str, *, sms_unique_id: str) -> Report | None:
    """Read what ``get_dlr_response`` answered; None where it says that there is no report yet.

    Args:
        text: the plain text of an answer that begins with ``OK``, or ``FAILED 102``.
        sms_unique_id: the id that was asked about.

    Raises:
        MalformedReport: where it cannot be a report.
    """
    if ResponseCode.from_code(text) is ResponseCode.NO_REPORT_YET:
        return None
    # Whole words, not str.lstrip("OK "): that would eat letters of the word behind.
    ok, _, word = text.strip().partition(" ")
    if ok.upper() != "OK" or not word.strip():
        raise MalformedReport("it is neither OK with a word nor FAILED 102")
    return Report(
        source=Source.POLL,
        sms_unique_id=sms_unique_id,
        stat=field_parsers.status_word(word.split()[0]),
        payload={"answer": field_parsers.bounded_text(text.strip(), name="answer", limit=200)},
    )


def restore_report(source: Source, payload: Mapping[str, Any], **told: Any) -> Report:
    """Read a report again from what was kept of it.

    Args:
        source: the way on which it came.
        payload: its payload.
        told: those of its attributes that were kept on their own.
    """
    # What a GET callback tells beside its documented parameters was not read the first time either.
    extras = {} if source is Source.CALLBACK else _extras(payload)
    return Report(source=source, payload=payload, **told, **extras)


def _parameters(query: str) -> dict[str, str]:
    if not query.isascii():
        raise MalformedReport("its query string is not percent-encoded")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:  # not UTF-8, or too many of them
        raise MalformedReport("its query string cannot be read") from exc
    payload: dict[str, str] = {}
    for name, value in pairs:
        key = field_parsers.bounded_text(name, name="a parameter's name", limit=64)
        told = field_parsers.bounded_text(value, name=key, limit=1000)
        if key in DECISIVE and payload.get(key, told) != told:
            raise MalformedReport(f"it tells {key} twice, and differently")
        payload[key] = told
    return payload


def _words(payload: Mapping[str, str]) -> Iterator[str]:
    """Yield the words for the state that were told, the best first: stat, then status, then dlr-mask."""
    for name in ("stat", "status"):
        if word := payload.get(name, "").strip():
            yield word
    mask = payload.get("dlr-mask", "").strip()
    if mask:
        number, _ = field_parsers.int_or_raw(mask)
        yield DLR_MASKS[number].value if number in DLR_MASKS else f"DLR-MASK {mask}"


def _from_omnichannel(payload: Mapping[str, Any], source: Source, *, omnimessage_id: Any) -> Report:
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
        **_extras(payload),
    )


def _extras(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Read what only adds to a report. Nothing here can make it malformed."""
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
    return {name: value for name, value in payload.items() if name.lower() not in SECRETS}
