"""Exchanges run in threads of their own. Stub sessions make the requests; tests with sockets are in integration."""

from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
import requests

from django_messente_dlr.messente import exchanges as exchanges_module
from django_messente_dlr.messente.errors import ConnectionFailed
from django_messente_dlr.messente.exchanges import Exchanges, NoThread, TotalTimeout
from tests.unit.messente.answering import client

# Seconds. The first is the deadline of exchanges that never end, the second ends a test that has failed.
SHORT, PATIENCE = 0.05, 30.0
caller: ContextVar[str] = ContextVar("caller", default="none")


class StubSession(requests.Session):
    """A session that records its threads. A request for the path /wait waits for ``released``."""

    began: threading.Semaphore
    released: threading.Event
    used: list[StubSession]

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False
        self.thread: threading.Thread | None = None

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        self.used.append(self)
        self.thread = threading.current_thread()
        self.began.release()
        if url.endswith("/fail"):
            raise LookupError("a defect")
        if url.endswith("/wait"):
            self.released.wait(PATIENCE)
        response = requests.Response()
        response._content = caller.get().encode()
        return response

    def close(self) -> None:
        self.is_closed = True
        super().close()


@pytest.fixture(autouse=True)
def used() -> Iterator[list[StubSession]]:
    """Return the session of each request. At the end, requests that wait are released."""
    StubSession.began, StubSession.released, StubSession.used = threading.Semaphore(0), threading.Event(), []
    yield StubSession.used
    release()


def release() -> None:
    """End the requests that wait, and wait for the end of their threads."""
    StubSession.released.set()
    for session in StubSession.used:
        assert session.thread is not None
        if session.is_closed:
            session.thread.join(PATIENCE)
            assert not session.thread.is_alive()


def exchanges(seconds: float = PATIENCE) -> Exchanges:
    return Exchanges(StubSession, total_timeout=seconds)


def abandon(instance: Exchanges, host: str = "first") -> None:
    with pytest.raises(TotalTimeout):
        instance.request("GET", "http://x/wait", host=host)
    assert StubSession.began.acquire(timeout=PATIENCE)  # on a busy machine it begins after the deadline


def test_request__one_session_for_each_thread(used: list[StubSession]) -> None:
    instance = exchanges()
    for _ in range(2):
        instance.request("GET", "http://x/", host="first")
    other = threading.Thread(target=instance.request, args=("GET", "http://x/"), kwargs={"host": "first"})
    other.start()
    other.join(PATIENCE)
    assert used[0] is used[1]
    assert used[1] is not used[2]


def test_request__new_session_after_deadline(used: list[StubSession]) -> None:
    instance = exchanges(SHORT)
    abandon(instance)
    assert used[0].is_closed
    abandon(instance)
    assert used[0] is not used[1]
    assert not used[0].released.is_set()


def test_request__same_session_after_exception(used: list[StubSession]) -> None:
    instance = exchanges()
    with pytest.raises(LookupError):
        instance.request("GET", "http://x/fail", host="first")
    instance.request("GET", "http://x/", host="first")
    assert used[0] is used[1]


def test_request__exception_keeps_its_traceback() -> None:
    with pytest.raises(LookupError, match="a defect") as raised:
        exchanges().request("GET", "http://x/fail", host="first")
    assert 'raise LookupError("a defect")' in "".join(traceback.format_exception(raised.value))


def test_request__has_context_of_caller() -> None:
    instance = exchanges()
    for name in ("first span", "second span"):
        token = caller.set(name)
        assert instance.request("GET", "http://x/", host="first").text == name
        caller.reset(token)


def test_request__very_long_deadline() -> None:
    assert exchanges(1e300).request("GET", "http://x/", host="first").text == "none"


def test_thread__ends_with_its_calling_thread(used: list[StubSession]) -> None:
    instance = exchanges()
    calling = threading.Thread(target=instance.request, args=("GET", "http://x/"), kwargs={"host": "first"})
    calling.start()
    calling.join(PATIENCE)
    gc.collect()
    assert used[0].thread is not None
    used[0].thread.join(PATIENCE)
    assert not used[0].thread.is_alive()


def test_thread__ends_after_close(used: list[StubSession]) -> None:
    instance = exchanges()
    instance.request("GET", "http://x/", host="first")
    instance.close()
    instance.close()
    assert used[0].thread is not None
    used[0].thread.join(PATIENCE)
    assert not used[0].thread.is_alive()


def test_request__limit_of_abandoned_exchanges(used: list[StubSession], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges_module, "MAX_ABANDONED", 2)
    instance = exchanges(SHORT)
    for _ in range(2):
        abandon(instance)
    with pytest.raises(NoThread, match="2 exchanges with first have not ended"):
        instance.request("GET", "http://x/wait", host="first")
    assert len(used) == 2
    abandon(instance, "backup")
    release()
    StubSession.released.clear()
    abandon(instance)
    assert len(used) == 4


def test_send__no_thread_is_connection_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message was certainly not sent."""

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(ConnectionFailed, match="NoThread"):
        client().send("+37255500000", "Your parcel is here")
