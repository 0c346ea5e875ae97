"""Failover: the failures of the first host after which the request is repeated at the backup host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
import responses
from urllib3.exceptions import DecodeError, LocationParseError

from django_messente_dlr.messente import errors
from django_messente_dlr.messente.exchanges import NoThread, TotalTimeout
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
    every_idempotent_call,
)
from tests.unit.messente.test_client import STATUS_URL, call
from tests.unit.messente.test_parse_omnichannel import OMNIMESSAGE

Failure = Callable[[], Exception]
never_sent = pytest.mark.parametrize("failure", NEVER_LEFT)
may_have_been_sent = pytest.mark.parametrize("failure", MAY_HAVE_ARRIVED)
server_errors = pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
# After any of these answers, the first host works, so the backup host would give the same answer.
ANSWERS = ["FAILED 102", "ERROR 101", "ERROR 102", "ERROR 103", "ERROR 107", "ERROR 111", "nonsense", "OK", ""]


class TestBackupUsed:
    @every_call
    @never_sent
    def test_call__unreachable_host_uses_backup(self, messente: Messente, endpoint: str, failure: Failure) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]
        assert messente.body(0) == messente.body(1)

    @every_call
    def test_call__failed_209_uses_backup(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "FAILED 209")
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @every_idempotent_call
    @may_have_been_sent
    def test_idempotent_call__unanswered_uses_backup(
        self, messente: Messente, endpoint: str, failure: Failure
    ) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @every_idempotent_call
    @server_errors
    def test_idempotent_call__http_5xx_uses_backup(self, messente: Messente, endpoint: str, status: int) -> None:
        messente.answer(FIRST, endpoint, "OK 2", status=status)
        messente.answer(BACKUP, endpoint, "OK 1")
        call(endpoint)
        assert messente.hosts_asked() == [FIRST, BACKUP]


class TestBackupNotUsed:
    @every_call
    @pytest.mark.parametrize("text", ANSWERS)
    def test_call__answer_skips_backup(self, messente: Messente, endpoint: str, text: str) -> None:
        messente.answer(FIRST, endpoint, text)
        with suppress(errors.MessenteError, errors.OutcomeUnknown):
            call(endpoint)
        assert messente.hosts_asked() == [FIRST]

    @may_have_been_sent
    def test_send__unanswered_skips_backup(self, messente: Messente, failure: Failure) -> None:
        messente.answer(FIRST, "send_sms", failure())
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    @server_errors
    @pytest.mark.parametrize("body", ["", "FAILED 209", "ERROR 101", "OK 1"])
    def test_send__http_5xx_skips_backup(self, messente: Messente, status: int, body: str) -> None:
        messente.answer(FIRST, "send_sms", body, status=status)
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST]

    def test_omnimessage_status__has_no_backup(self, messente: Messente) -> None:
        messente.add(responses.GET, STATUS_URL, status=500)
        with pytest.raises(errors.ServerFailure):
            client().get_omnimessage_status(OMNIMESSAGE)
        assert len(messente.calls) == 1


class TestBothHostsFail:
    @every_call
    @never_sent
    def test_call__both_unreachable_is_connection_failed(
        self, messente: Messente, endpoint: str, failure: Failure
    ) -> None:
        messente.answer(FIRST, endpoint, failure())
        messente.answer(BACKUP, endpoint, failure())
        with pytest.raises(errors.ConnectionFailed, match="api3"):
            call(endpoint)

    @every_call
    def test_call__failed_209_twice_is_server_failure(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, "FAILED 209")
        messente.answer(BACKUP, endpoint, "FAILED 209")
        with pytest.raises(errors.ServerFailure):
            call(endpoint)

    @may_have_been_sent
    @pytest.mark.parametrize("first", ["FAILED 209", NEVER_LEFT[0]])
    def test_send__unanswered_backup_is_outcome_unknown(
        self, messente: Messente, first: str | Failure, failure: Failure
    ) -> None:
        messente.answer(FIRST, "send_sms", first if isinstance(first, str) else first())
        messente.answer(BACKUP, "send_sms", failure())
        with pytest.raises(errors.OutcomeUnknown):
            call("send_sms")
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @pytest.mark.parametrize("endpoint", ["get_dlr_response", "get_balance"])
    def test_idempotent_call__raises_error_of_last_host(self, messente: Messente, endpoint: str) -> None:
        messente.answer(FIRST, endpoint, status=500)
        messente.answer(BACKUP, endpoint, "ERROR 101")
        with pytest.raises(errors.CredentialsRefused):
            call(endpoint)


class TestCancelRepeated:
    """The first host may have cancelled the SMS although its answer is lost. The backup host may then not know it."""

    @pytest.mark.parametrize("second", ["ERROR 107", "ERROR 101", "FAILED 209", "nonsense", "", NEVER_LEFT[0]])
    @may_have_been_sent
    def test_cancel__other_answer_of_backup_does_not_count(
        self, messente: Messente, failure: Failure, second: str | Failure
    ) -> None:
        messente.answer(FIRST, "cancel_sms", failure())
        messente.answer(BACKUP, "cancel_sms", second if isinstance(second, str) else second())
        with pytest.raises(errors.NoResponse, match="The first request may have cancelled the message") as raised:
            call("cancel_sms")
        assert FIRST in str(raised.value)
        assert messente.hosts_asked() == [FIRST, BACKUP]

    @server_errors
    def test_cancel__http_5xx_may_have_cancelled(self, messente: Messente, status: int) -> None:
        messente.answer(FIRST, "cancel_sms", status=status)
        messente.answer(BACKUP, "cancel_sms", "ERROR 107")
        with pytest.raises(errors.NoResponse, match='does not count: Messente answered "ERROR 107"'):
            call("cancel_sms")

    @pytest.mark.parametrize("first", ["FAILED 209", NEVER_LEFT[0]])
    def test_cancel__first_host_did_nothing(self, messente: Messente, first: str | Failure) -> None:
        messente.answer(FIRST, "cancel_sms", first if isinstance(first, str) else first())
        messente.answer(BACKUP, "cancel_sms", "ERROR 107")
        with pytest.raises(errors.UnknownMessage):
            call("cancel_sms")

    def test_cancel__both_answers_lost(self, messente: Messente) -> None:
        messente.answer(FIRST, "cancel_sms", MAY_HAVE_ARRIVED[0]())
        messente.answer(BACKUP, "cancel_sms", status=500)
        with pytest.raises(errors.ServerFailure, match=r"api3\.messente\.com answered HTTP 500"):
            call("cancel_sms")


@every_call
def test_call__starts_with_first_host_again(messente: Messente, endpoint: str) -> None:
    messente.answer(FIRST, endpoint, "FAILED 209")
    messente.answer(BACKUP, endpoint, "OK 1")
    messente.answer(FIRST, endpoint, "OK 1")
    messente_client = client()
    CALLS[endpoint](messente_client)
    CALLS[endpoint](messente_client)
    assert messente.hosts_asked() == [FIRST, BACKUP, FIRST]


@every_call
def test_call__without_hosts_is_connection_failed(endpoint: str) -> None:
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
        (NoThread("can't start new thread"), True),
        (TotalTimeout("No complete response"), False),
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
def test_was_never_sent__only_for_unsent_requests(exc: Any, *, expected: bool) -> None:
    assert was_never_sent(exc) is expected
