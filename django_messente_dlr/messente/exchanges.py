"""HTTP requests with a deadline for the whole exchange: connection, request and complete response.

The time-outs of requests limit the connection and each read. A server that sends one byte a second exceeds neither,
and the response never ends. So a second thread makes the requests of each calling thread, and is abandoned at the
deadline. It is a daemon thread, which does not delay the end of the process.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

import requests

# An abandoned exchange ends when the server closes the connection, sends nothing for the read time-out, or sends too
# much. If so many exchanges with a host have not ended, it gets no further request until one ends. Exchanges that are
# under way at this moment may be abandoned too.
MAX_ABANDONED = 32


class TotalTimeout(requests.Timeout):
    """The exchange did not end before its deadline. The request may have arrived."""


class NoThread(requests.ConnectionError):
    """The request was not made: no thread can start, or `MAX_ABANDONED` exchanges with the host have not ended."""


class Exchanges:
    """Make HTTP requests with a deadline. Threads may share an instance: each thread has its own session.

    Args:
        create_session: returns a new session.
        total_timeout: the seconds until an exchange is abandoned.
    """

    def __init__(self, create_session: Callable[[], requests.Session], *, total_timeout: float) -> None:
        self._create_session = create_session
        self._total_timeout = min(total_timeout, threading.TIMEOUT_MAX)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._abandoned: dict[str, list[threading.Thread]] = {}

    def request(self, method: str, url: str, *, host: str, **arguments: Any) -> requests.Response:
        """Make one request and return the response with its body.

        Args:
            method: the HTTP method.
            url: the URL.
            host: identifies the host.
            arguments: further arguments of ``Session.request``.

        Raises:
            TotalTimeout: the exchange did not end before its deadline.
            NoThread: no request was made.
            Exception: the exception of ``Session.request``.
        """
        if len(self._unfinished(host)) >= MAX_ABANDONED:
            raise NoThread(f"{MAX_ABANDONED} exchanges with {host} have not ended.")
        worker = self._take_worker()
        exchange = _Exchange(method, url, arguments)
        try:
            worker.start(exchange)
            response, error = exchange.outcome.get(timeout=self._total_timeout)
        except BaseException as exc:  # also what a signal handler raises, such as KeyboardInterrupt
            self._abandon(host, worker, exchange)
            if isinstance(exc, Empty):
                raise TotalTimeout(f"No complete response within {self._total_timeout:g} seconds.") from None
            raise
        self._local.worker = worker
        if response is not None:
            return response
        assert error is not None
        try:
            raise error
        finally:
            del error  # otherwise the exception's traceback and this frame refer to each other

    def close(self) -> None:
        """Close the connections of the calling thread."""
        worker: _Worker | None = self._local.__dict__.pop("worker", None)
        if worker is not None:
            worker.stop()

    def _take_worker(self) -> _Worker:
        """Return the calling thread's worker, or a new one after an abandoned exchange."""
        worker: _Worker | None = self._local.__dict__.pop("worker", None)
        if worker is not None and worker.thread.is_alive():  # after a fork, only the calling thread is alive
            return worker
        try:
            return _Worker(self._create_session())
        except RuntimeError as exc:
            raise NoThread(str(exc)) from exc

    def _unfinished(self, host: str) -> list[threading.Thread]:
        return [thread for thread in self._abandoned.get(host, ()) if thread.is_alive()]

    def _abandon(self, host: str, worker: _Worker, exchange: _Exchange) -> None:
        worker.stop()
        exchange.end()
        with self._lock:
            self._abandoned[host] = [*self._unfinished(host), worker.thread]


class _Exchange:
    """One request and its response.

    Args:
        method: the HTTP method.
        url: the URL.
        arguments: further arguments of ``Session.request``.

    Attributes:
        outcome: receives the response or the exception.
    """

    def __init__(self, method: str, url: str, arguments: dict[str, Any]) -> None:
        self._request = (method, url, arguments)
        self._response: requests.Response | None = None
        # Tracers find the span that the request belongs to in the caller's context.
        self._context = copy_context()
        self.outcome: SimpleQueue[tuple[requests.Response | None, BaseException | None]] = SimpleQueue()

    def run(self, session: requests.Session) -> None:
        """Make the request, and read the response."""
        method, url, arguments = self._request
        try:
            response = self._context.run(session.request, method, url, stream=True, **arguments)
            self._response = response
            self._context.run(getattr, response, "content")  # reads the body
            self.outcome.put((response, None))
        except BaseException as exc:  # noqa: BLE001 - the caller raises it
            self.outcome.put((None, exc))

    def end(self) -> None:
        """End the reading of the body, so that the thread ends. For the head, urllib3 has no such method."""
        if self._response is not None:
            # urllib3 before 2.3 has no shutdown(). The other exceptions mean that the exchange has just ended.
            with suppress(AttributeError, ValueError, RuntimeError, OSError):
                self._response.raw.shutdown()


class _Worker:
    """A thread that makes the requests of one calling thread, one after another.

    It ends when it is stopped, or when no variable refers to the worker, such as after the end of the calling thread.

    Args:
        session: makes the requests.

    Attributes:
        thread: the thread.

    Raises:
        RuntimeError: no thread can start.
    """

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._exchanges: SimpleQueue[_Exchange | None] = SimpleQueue()
        self.thread = threading.Thread(
            target=_run_exchanges, args=(session, self._exchanges), name="messente-exchanges", daemon=True
        )
        self.thread.start()
        weakref.finalize(self, self._exchanges.put, None)

    def start(self, exchange: _Exchange) -> None:
        """Start an exchange. The previous one must have ended."""
        self._exchanges.put(exchange)

    def stop(self) -> None:
        """Close all connections but that of the current exchange, and end the thread after it."""
        self._session.close()
        self._exchanges.put(None)


def _run_exchanges(session: requests.Session, exchanges: SimpleQueue[_Exchange | None]) -> None:
    while (exchange := exchanges.get()) is not None:
        exchange.run(session)
        del exchange  # otherwise the response is kept until the next request
