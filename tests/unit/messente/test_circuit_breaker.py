"""The circuit breaker: a failing host is skipped for a while, then one request tries it again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import responses

from django_messente_dlr.messente import circuit_breaker, errors
from django_messente_dlr.messente.circuit_breaker import OPEN_SECONDS, CircuitBreaker
from django_messente_dlr.messente.client import MessenteClient
from tests.unit.messente.answering import (
    BACKUP,
    FIRST,
    OMNICHANNEL,
    Messente,
    client,
    no_answer_in_time,
    no_connection,
)

REPORT = "get_dlr_response"


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "time", clock)
    return clock


def get_report(messente_client: MessenteClient) -> None:
    messente_client.get_report("an-id")


def test_failed_connection__skips_host_at_once(messente: Messente, clock: Clock) -> None:
    messente.answer(FIRST, REPORT, no_connection())
    messente.answer(BACKUP, REPORT, "OK SENT")
    messente_client = client()
    for _ in range(5):
        get_report(messente_client)
    assert messente.hosts_asked() == [FIRST, *[BACKUP] * 5]


@pytest.mark.parametrize("failure", [no_answer_in_time, lambda: "FAILED 209"])
def test_other_failures__skip_host_after_three_in_a_row(
    failure: Callable[[], Exception | str], messente: Messente, clock: Clock
) -> None:
    messente.answer(FIRST, REPORT, failure())
    messente.answer(BACKUP, REPORT, "OK SENT")
    messente_client = client()
    for _ in range(5):
        get_report(messente_client)
    assert messente.hosts_asked() == [*[FIRST, BACKUP] * 3, BACKUP, BACKUP]


def test_any_answer__resets_failures(messente: Messente, clock: Clock) -> None:
    messente_client = client()
    for answer in ("FAILED 209", "FAILED 209", "ERROR 107", "FAILED 209", "FAILED 209"):
        messente.answer(FIRST, REPORT, answer)
    messente.answer(FIRST, REPORT, "OK SENT")
    messente.answer(BACKUP, REPORT, "OK SENT")
    for _ in range(6):
        with contextlib.suppress(errors.UnknownMessage):
            get_report(messente_client)
    assert messente.hosts_asked() == [FIRST, BACKUP, FIRST, BACKUP, FIRST, FIRST, BACKUP, FIRST, BACKUP, FIRST]


def test_open_period_over__one_request_tries_host(clock: Clock) -> None:
    breaker = CircuitBreaker()
    breaker.record_failure(FIRST, connected=False)
    assert breaker.seconds_until_retry(FIRST) == OPEN_SECONDS
    assert breaker.seconds_until_retry(BACKUP) == 0
    clock.now += OPEN_SECONDS
    assert breaker.seconds_until_retry(FIRST) == 0  # this request tries the host
    assert breaker.seconds_until_retry(FIRST) == OPEN_SECONDS  # others skip it meanwhile
    breaker.record_response(FIRST)
    assert breaker.seconds_until_retry(FIRST) == 0


def test_failed_retry__skips_host_again(messente: Messente, clock: Clock) -> None:
    messente.answer(FIRST, REPORT, no_connection())
    messente.answer(BACKUP, REPORT, "OK SENT")
    messente_client = client()
    get_report(messente_client)
    clock.now += OPEN_SECONDS
    get_report(messente_client)
    get_report(messente_client)
    assert messente.hosts_asked() == [FIRST, BACKUP, FIRST, BACKUP, BACKUP]


def test_all_hosts_skipped__report_raises_host_unavailable(messente: Messente, clock: Clock) -> None:
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, no_connection())
    messente_client = client()
    with pytest.raises(errors.ConnectionFailed):
        get_report(messente_client)
    clock.now += 10
    with pytest.raises(errors.HostUnavailable, match="allowed in 20 seconds") as raised:
        get_report(messente_client)
    assert raised.value.retry_after == 20
    assert len(messente.calls) == 2


@pytest.mark.parametrize("endpoint", ["send_sms", "get_balance", "cancel_sms"])
def test_all_hosts_skipped__other_calls_try_them(endpoint: str, messente: Messente, clock: Clock) -> None:
    for host in (FIRST, BACKUP):
        messente.answer(host, REPORT, no_connection())
    messente_client = client()
    with pytest.raises(errors.ConnectionFailed):
        get_report(messente_client)
    messente.answer(FIRST, endpoint, "OK 1")
    calls = {
        "send_sms": lambda: messente_client.send("+37255500000", "Hi"),
        "get_balance": messente_client.get_balance,
    }
    calls.get(endpoint, lambda: messente_client.cancel("an-id"))()
    assert messente.hosts_asked() == [FIRST, BACKUP, FIRST]
    messente.answer(FIRST, REPORT, "OK SENT")
    messente.remove(responses.POST, f"{FIRST}/{REPORT}/")
    messente.answer(FIRST, REPORT, "OK SENT")
    get_report(messente_client)  # the response has closed the circuit
    assert messente.hosts_asked()[-1] == FIRST


def test_send__skips_failed_host(messente: Messente, clock: Clock) -> None:
    messente.answer(FIRST, REPORT, no_connection())
    messente.answer(BACKUP, REPORT, "OK SENT")
    messente.answer(BACKUP, "send_sms", "OK an-id")
    messente_client = client()
    get_report(messente_client)
    assert messente_client.send("+37255500000", "Hi") == "an-id"
    assert messente.hosts_asked() == [FIRST, BACKUP, BACKUP]


@pytest.mark.parametrize("failures", [1, 3])
def test_omnichannel_host__is_skipped_after_failures(failures: int, messente: Messente, clock: Clock) -> None:
    url = f"{OMNICHANNEL}/omnimessage/1/status"
    if failures == 1:
        messente.add(responses.GET, url, body=no_connection())
    else:
        messente.add(responses.GET, url, status=503)
    messente_client = client()
    for _ in range(failures):
        with pytest.raises((errors.ConnectionFailed, errors.ServerFailure)):
            messente_client.get_omnimessage_status("1")
    with pytest.raises(errors.HostUnavailable):
        messente_client.get_omnimessage_status("1")
    assert len(messente.calls) == failures
