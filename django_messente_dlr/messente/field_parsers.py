"""Parsers for the fields of a delivery report. Each returns a value that every supported database can store.

Fields that identify the message or its status must be valid: their parsers raise `MalformedReport`. The other
fields (price, parts, time) become None if they are invalid. The report is still accepted, and its payload keeps
the received value.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from django_messente_dlr.messente.errors import MalformedReport

MAX_ID = 128
MAX_WORD = 32
MAX_NUMBER = 2**31 - 1  # the limit of an integer column on every database
# Messente's JSON has 3 levels. MariaDB accepts 31 levels, and Python's own limit differs between versions.
MAX_DEPTH = 20
MAX_DIGITS = 300  # MySQL stores a longer number as a double
NUMBER = re.compile(r"-?[0-9]{1,10}", re.ASCII)
PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,12})?", re.ASCII)
PRICE_STEP = Decimal("0.000001")
PRICE_LIMIT = 10**8  # the first amount that the column cannot store
YEARS = range(2000, 2200)


def bounded_text(value: str, *, name: str, limit: int) -> str:
    """Return ``value`` unchanged if every database can store it.

    Args:
        value: the received text.
        name: the name of the field for the error.
        limit: the maximum number of characters.

    Raises:
        MalformedReport: the text is too long, or has NUL characters or lone surrogates.
    """
    if len(value) > limit:
        raise MalformedReport(f"{name} is longer than {limit} characters")
    # PostgreSQL rejects NUL in text and JSON. UTF-8 cannot encode lone surrogates.
    if "\0" in value or (not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)):
        raise MalformedReport(f"{name} has invalid characters")
    return value


def json_string(value: Any, *, name: str) -> str:
    """Return a JSON string, or "" for null. Raise `MalformedReport` for any other type."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedReport(f"{name} is not a string")
    return value


def truncated(value: Any, *, limit: int) -> str:
    """Return the first ``limit`` characters of a descriptive text, or "" if the value is not a string."""
    return value[:limit] if isinstance(value, str) else ""


def identifier(value: Any, *, name: str) -> str:
    """Return an opaque ID of at most 128 printable characters, or "" for null. Raise `MalformedReport` otherwise."""
    text = bounded_text(json_string(value, name=name).strip(), name=name, limit=MAX_ID)
    if not text.isprintable():
        raise MalformedReport(f"{name} has characters that are not printable")
    return text


def status_word(value: str) -> str:
    """Return a status code in upper case, because Messente's status codes are compared case-insensitively."""
    return bounded_text(value.strip().upper(), name="the status code", limit=MAX_WORD)


def int_or_raw(value: Any) -> tuple[int | None, str]:
    """Return an error code as a number and as the received text.

    Messente's callbacks contain ``""``, ``0``, ``000``, ``4``, ``004``, ``"4"`` and null. The number is None if the
    value is not an integer or exceeds an integer column.
    """
    raw = "" if value is None else str(value).strip()
    if isinstance(value, bool | float) or not NUMBER.fullmatch(raw) or abs(int(raw)) > MAX_NUMBER:
        return None, raw[:MAX_WORD]
    return int(raw), raw


def count(value: Any) -> int | None:
    """Return a number of parts (1 to 32767), or None."""
    number, _ = int_or_raw(value)
    return number if number is not None and 0 < number <= 32767 else None


def amount(value: Any) -> Decimal | None:
    """Return an amount of money, or None. Messente sends amounts as strings such as "0.2"."""
    raw = str(value) if isinstance(value, str | int | float) else ""
    if not PRICE.fullmatch(raw):
        return None
    try:
        price = Decimal(raw).quantize(PRICE_STEP)
    except InvalidOperation:  # the precision of the project's decimal context is too low
        return None
    return price if price < PRICE_LIMIT else None  # rounding can reach the limit


def timestamp(value: Any) -> datetime | None:
    """Return an ISO 8601 time in UTC, or None.

    A time without a time zone is taken as UTC. This is inferred: Messente's documentation does not state the zone.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        moment = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year in YEARS else None


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object in a JSON body. Raise `MalformedReport` for anything that a JSON column cannot store."""
    try:
        data = json.loads(body, parse_constant=_reject_constant, parse_int=_parse_int)
        # Python also reads 1e999 and lone surrogates, which neither JSON nor a database can represent.
        json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise MalformedReport("its body is not JSON") from exc
    if not isinstance(data, dict):
        raise MalformedReport("its body is not a JSON object")
    if b"\\u0000" in body or b"\0" in body:
        raise MalformedReport("its body has NUL characters")
    if _is_deeper(data, MAX_DEPTH):
        raise MalformedReport(f"its body is nested more than {MAX_DEPTH} levels deep")
    return data


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(member, levels - 1) for member in members)


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
