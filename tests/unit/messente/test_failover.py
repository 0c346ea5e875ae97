"""Which failures of api2 have the request made again at api3, and which never."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
import responses
from urllib3.exceptions import DecodeError, LocationParseError

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.http_errors import was_never_sent
from tests.unit.messente.answering import (
    BACKUP,
    CALLS,
    FIRST,
    MAY_HAVE_ARRIVED,
    NEVER_LEFT,
    Messente,
    client,
    every_call,
    every_question,
)
from tests.unit.messente.test_client import STATUS_URL, call
from tests.unit.messente.test_read_omnichannel import OMNIMESSAGE

Failure = Callable[[], Exception]
never_sent = pytest.mark.parametrize("failure", NEVER_LEFT)
perhaps_sent = pytest.mark.parametrize("failure", MAY_HAVE_ARRIVED)
server_errors = pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
# What says that the first host is well, whatever it says: asking another is no use.
ANSWERS = ["FAILED 102", "ERROR 101", "ERROR 102", "ERROR 103", "ERROR 107", "ERROR 111", "nonsense", "OK", ""]


class TestTheBackupIsAsked:
    @every_call
    @never_sent
    def test_where_the_first_host_cannot_be_reached(
        self, messente: Messente, endpoint: str, failure: Failure
    ) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]
        assert messente.body(0) == messente.body(1)

    @every_call
    def test_where_the_first_host_says_that_it_failed(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "FAILED 209")
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @every_question
    @perhaps_sent
    def test_where_a_question_was_not_answered(self, messente: Messente, endpoint: str, failure: Failure) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @every_question
    @server_errors
    def test_where_a_question_met_a_broken_server(self, messente: Messente, endpoint: str, status: int) -> None:
        messente.answer(FIRST, endpoint, "OK 2", status=status)
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]


class TestTheBackupIsNotAsked:
    @every_call
    @pytest.mark.parametrize("text", ANSWERS)
    def test_where_the_first_host_has_answered(self, messente: Messente, endpoint: str, text: str) -> None:
        messente.answer(FIRST, endpoint, text)
        with suppress(errors.MessenteError):
            call(endpoint)
        assert messente.hosts_asked() == [FIRST]

    @perhaps_sent
    def test_to_send_what_may_have_been_sent(self, messente: Messente, failure: Failure) -> None:
        messente.answer(FIRST, "send_sms", failure())
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    @server_errors
    @pytest.mark.parametrize("body", ["", "FAILED 209", "ERROR 101", "OK 1"])
    def test_to_send_what_a_broken_server_may_have_sent(self, messente: Messente, status: int, body: str) -> None:
        messente.answer(FIRST, "send_sms", body, status=status)
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    def test_for_an_omnimessage_whose_api_has_one_host(self, messente: Messente) -> None:
        messente.add(responses.GET, STATUS_URL, status=500)
        with pytest.raises(errors.ServerFailure):
            client().get_omnimessage_status(OMNIMESSAGE)
        assert len(messente.calls) == 1


class TestBothHostsFail:
    @every_call
    @never_sent
    def test_nobody_reached_is_a_failed_connection(self, messente: Messente, endpoint: str, failure: Failure) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, failure())
        with pytest.raises(errors.ConnectionFailed, match="api3"):
            call(endpoint)

    @every_call
    def test_failed_209_twice_is_a_server_failure(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "FAILED 209")
        messente.answer(BACKUP, endpoint, "FAILED 209")
        with pytest.raises(errors.ServerFailure):
            call(endpoint)

    @perhaps_sent
    @pytest.mark.parametrize("first", ["FAILED 209", NEVER_LEFT[0]])
    def test_what_the_backup_may_have_sent_is_unknown(
        self, messente: Messente, first: str | Failure, failure: Failure
    ) -> None:
        messente.answer(FIRST, "send_sms", first if isinstance(first, str) else first())
        messente.answer(BACKUP, "send_sms", failure())
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @every_question
    def test_the_last_hosts_failure_is_told(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, status=500)
        messente.answer(BACKUP, endpoint, "ERROR 101")
        with pytest.raises(errors.CredentialsRefused):
            call(endpoint)


@every_call
def test_the_next_call_begins_with_the_first_host_again(messente: Messente, endpoint: str) -> None:
    messente.answer(FIRST, endpoint, "FAILED 209")
    messente.answer(BACKUP, endpoint, "OK 1")
    messente.answer(FIRST, endpoint, "OK 1")
    same = client()
    CALLS[endpoint](same)
    CALLS[endpoint](same)
    assert messente.hosts_asked() == [FIRST, BACKUP, FIRST]


@every_call
def test_without_a_host_nothing_is_sent(endpoint: str) -> None:
    with pytest.raises(errors.ConnectionFailed, match="No host"):
        CALLS[endpoint](client(hosts=()))


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        *((failure(), True) for failure in NEVER_LEFT),
        *((failure(), False) for failure in MAY_HAVE_ARRIVED),
        (requests.exceptions.MissingSchema("No scheme supplied"), True),
        (requests.exceptions.InvalidSchema("No connection adapters"), True),
        (requests.exceptions.InvalidURL("Invalid URL"), True),
        (requests.exceptions.InvalidProxyURL("Invalid proxy"), True),
        (LocationParseError("a..b"), True),
        (DecodeError(), False),
        (requests.exceptions.InvalidHeader("of an answer"), False),
        (requests.exceptions.ContentDecodingError("not gzip"), False),
        (requests.exceptions.TooManyRedirects(), False),
        (requests.ConnectionError(), False),
        (requests.ConnectionError("some text"), False),
        (requests.RequestException(None), False),
        (requests.Timeout(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_certainly_did_not_leave_counts_as_never_left(exc: Any, *, expected: bool) -> None:
    assert was_never_sent(exc) is expected
