"""Exceptions, chained exceptions and the local variables of tracebacks contain no password."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import requests
import responses
from django.views.debug import ExceptionReporter

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.http_session import Body
from tests.unit.messente.answering import (
    BACKUP,
    CALLS,
    FIRST,
    MAY_HAVE_ARRIVED,
    NEVER_LEFT,
    PASSWORD,
    USERNAME,
    Messente,
    client,
    every_call,
)
from tests.unit.messente.test_client import STATUS_URL
from tests.unit.messente.test_parse_omnichannel import OMNIMESSAGE

SPELLINGS = (
    PASSWORD,
    quote(PASSWORD),
    quote(PASSWORD, safe=""),
    quote_plus(PASSWORD),
    repr(PASSWORD.encode())[2:-1],
    PASSWORD.encode().decode("latin-1"),
    b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode(),
)
OUTCOMES: dict[str, Any] = {
    **{failure.__name__: failure for failure in (*NEVER_LEFT, *MAY_HAVE_ARRIVED)},
    "FAILED 209": "FAILED 209",
    "ERROR 101": "ERROR 101",
    "ERROR 103": "ERROR 103",
    "ERROR 107": "ERROR 107",
    "unreadable": "<html>",
    "empty": "",
    **{f"HTTP {status}": status for status in (204, 302, 401, 404, 429, 500)},
}
every_outcome = pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)


def options_for(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, int):
        return {"body": "", "status": outcome}
    return {"body": outcome if isinstance(outcome, str) else outcome()}


def assert_no_password(text: str) -> None:
    for spelling in SPELLINGS:
        assert spelling not in text


def chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception with its causes and contexts, including suppressed ones."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [exc]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__]


def serialized_values(value: Any) -> Iterator[str]:
    """Yield the texts that Sentry's client records for a variable: items of mappings and sequences, else the repr."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from serialized_values(item)
    elif isinstance(value, Sequence | Set) and not isinstance(value, str | bytes):
        for item in value:
            yield from serialized_values(item)
    else:
        yield repr(value)


def assert_error_hides_password(exc: Exception) -> None:
    for link in chain(exc):
        assert not isinstance(link, requests.RequestException), "it holds the request with its body"
        assert_no_password(f"{link} {link!r} {link.args!r} {vars(link)!r} {getattr(link, '__notes__', '')}")
    reporter = ExceptionReporter(None, type(exc), exc, exc.__traceback__)
    assert_no_password(reporter.get_traceback_text())
    # Django's debug page and its mails to ADMINS show these variables. Only the frames of the package are checked,
    # because the variables of the test contain the password.
    frames = [frame for frame in reporter.get_traceback_frames() if "django_messente_dlr" in frame["filename"]]
    assert frames
    assert_no_password(repr([frame["vars"] for frame in frames]))
    for frame, _ in traceback.walk_tb(exc.__traceback__):
        if "django_messente_dlr" in frame.f_code.co_filename:
            assert_no_password(" ".join(serialized_values(frame.f_locals)))


@every_call
@every_outcome
def test_call__error_hides_password(messente: Messente, endpoint: str, outcome: Any) -> None:
    messente.assert_all_requests_are_fired = False
    for host in (FIRST, BACKUP):
        messente.answer(host, endpoint, **options_for(outcome))
    with pytest.raises((errors.MessenteError, errors.OutcomeUnknown)) as raised:
        CALLS[endpoint](client())
    assert_error_hides_password(raised.value)


@every_outcome
def test_omnimessage_status__error_hides_password(messente: Messente, outcome: Any) -> None:
    messente.add(responses.GET, STATUS_URL, **options_for(outcome))
    with pytest.raises(errors.MessenteError) as raised:
        client().get_omnimessage_status(OMNIMESSAGE)
    assert_error_hides_password(raised.value)


@every_call
@pytest.mark.parametrize("before", ["", "ERROR 102 ", "ERROR 107 ", "OK "])
@pytest.mark.parametrize("spell", [str, quote_plus, lambda password: quote(password, safe="")])
def test_call__password_in_answer_is_masked(messente: Messente, endpoint: str, before: str, spell: Any) -> None:
    """The error page of a proxy can quote the request."""
    messente.assert_all_requests_are_fired = False
    for host in (FIRST, BACKUP):
        messente.answer(host, endpoint, f"{before}{spell(PASSWORD)}".encode())
    try:
        result = CALLS[endpoint](client())
    except (errors.MessenteError, errors.OutcomeUnknown) as exc:
        assert_error_hides_password(exc)
    else:
        assert before == "OK ", result


def test_repr__hides_password() -> None:
    messente_client = client()
    assert_no_password(repr(messente_client) + repr(messente_client._transport))
    body = Body({"username": USERNAME, "password": PASSWORD, "to": "+37255500000"})
    assert repr(body) == str(body) == "<username, password, to>"
