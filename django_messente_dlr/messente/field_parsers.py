"""The fields of a report, one reader each: from whatever was told to a value that every database can hold.

What decides whose report it is must be right, so its reader raises `MalformedReport`. What only adds to a report
(price, parts, time) becomes None when it makes no sense: the report counts, and its payload keeps what was told.
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
MAX_NUMBER = 2**31 - 1  # what an integer column holds on every database
MAX_DEPTH = 20  # Messente's JSON has 3 levels; MariaDB holds 31, and Python's own limit differs by version
MAX_DIGITS = 300  # MySQL keeps a long number as a double
NUMBER = re.compile(r"-?[0-9]{1,10}", re.ASCII)
PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,12})?", re.ASCII)
PRICE_STEP = Decimal("0.000001")
PRICE_LIMIT = 10**8  # what the column does not hold any more
YEARS = range(2000, 2200)


def bounded_text(value: str, *, name: str, limit: int) -> str:
    """Return ``value`` if a database can hold it; raise `MalformedReport` otherwise.

    Args:
        value: the text as it was told.
        name: what to call it in the error.
        limit: the greatest number of characters.
    """
    if len(value) > limit:
        raise MalformedReport(f"{name} is longer than {limit} characters")
    # PostgreSQL takes no NUL in text or JSON, and UTF-8 knows no lone surrogates.
    if "\0" in value or (not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)):
        raise MalformedReport(f"{name} has characters that no text can have")
    return value


def json_string(value: Any, *, name: str) -> str:
    """Return a JSON string, or "" for null; raise `MalformedReport` for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedReport(f"{name} is not a string")
    return value


def truncated(value: Any, *, limit: int) -> str:
    """Return the beginning of a text that is only for people to read, or "" where there is none."""
    return value[:limit] if isinstance(value, str) else ""


def identifier(value: Any, *, name: str) -> str:
    """Return an opaque id of at most 128 printable characters, or "" where there is none."""
    told = bounded_text(json_string(value, name=name).strip(), name=name, limit=MAX_ID)
    if not told.isprintable():
        raise MalformedReport(f"{name} has characters that no id has")
    return told


def status_word(value: str) -> str:
    """Return a word for a state in upper case: Messente's are compared without regard to case."""
    return bounded_text(value.strip().upper(), name="the word for the state", limit=MAX_WORD)


def int_or_raw(value: Any) -> tuple[int | None, str]:
    """Return a cause as a number and as it was told.

    All of ``""``, ``0``, ``000``, ``4``, ``004``, ``"4"`` and null were seen. What is no number, or greater than a
    column holds, gives None beside its raw text.
    """
    raw = "" if value is None else str(value).strip()
    if isinstance(value, bool | float) or not NUMBER.fullmatch(raw) or abs(int(raw)) > MAX_NUMBER:
        return None, raw[:MAX_WORD]
    return int(raw), raw


def count(value: Any) -> int | None:
    """Return a number of parts, or None."""
    found, _ = int_or_raw(value)
    return found if found is not None and 0 < found <= 32767 else None


def amount(value: Any) -> Decimal | None:
    """Return an amount of money, which Messente gives as a string such as "0.2", or None."""
    raw = str(value) if isinstance(value, str | int | float) else ""
    if not PRICE.fullmatch(raw):
        return None
    try:
        price = Decimal(raw).quantize(PRICE_STEP)
    except InvalidOperation:  # the project's decimal context has too few digits
        return None
    return price if price < PRICE_LIMIT else None  # rounding can reach it


def timestamp(value: Any) -> datetime | None:
    """Return an ISO-8601 time in UTC, or None. One without a zone is UTC (inferred: no document says so)."""
    if not isinstance(value, str):
        return None
    try:
        told = datetime.fromisoformat(value)
        moment = told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year in YEARS else None


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object that a JSON body holds; raise `MalformedReport` for all that is no plain JSON object."""
    try:
        told = json.loads(body, parse_constant=_refuse_constant, parse_int=_integer)
        # Whatever Python reads and JSON or a database cannot hold (1e999, NUL, lone surrogates) ends here.
        json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise MalformedReport("its body is not JSON") from exc
    if not isinstance(told, dict):
        raise MalformedReport("its body is not a JSON object")
    if b"\\u0000" in body or b"\0" in body:
        raise MalformedReport("its body has characters that no text can have")
    if _is_deeper(told, MAX_DEPTH):
        raise MalformedReport(f"its body is nested more than {MAX_DEPTH} levels deep")
    return told


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(member, levels - 1) for member in members)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
