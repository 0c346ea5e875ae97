"""The sandbox as a whole: started and stopped, and looked into while it runs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Self

from django_messente_dlr.messente.reports import CALLBACK_TIMEOUTS
from django_messente_dlr.sandbox.addresses import loopback_address
from django_messente_dlr.sandbox.callback_sender import CallbackSender
from django_messente_dlr.sandbox.log_lines import request_line
from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from django_messente_dlr.sandbox.omnichannel import OmnichannelApi
from django_messente_dlr.sandbox.scheduler import Scheduler
from django_messente_dlr.sandbox.server import Answer, Request, Server, plain
from django_messente_dlr.sandbox.sms_api import SmsApi
from django_messente_dlr.sandbox.state import State

# Seconds that stopping waits for each of: connections that are being served, callbacks that are being made.
GRACE = 2.0


class Sandbox:
    """A local Messente over real HTTP, for this machine alone.

    It takes messages through both of Messente's APIs, and calls their ``dlr-url`` as Messente does. The recipient's
    last three digits choose what becomes of a message: see `fates`. A context manager, started inside.

    Args:
        accounts: the passwords by user name; at least one.
        host: the address to listen on: localhost, or a loopback address.
        port: the port to listen on; 0 takes a free one.
        delay: seconds before a message's first report, and between one report and the next.
        retry_delay: seconds before a callback that failed is made again, five times at most. This is our own choice:
            Messente makes a GET five times too, but after how long, and how often a POST, is not known.
        balance: the credit of every account, in EUR. Sending does not use it up; set `balance` to change it.
        default_dlr_url: the URL for the reports of messages that have none.
        callback_hosts: names of hosts that callbacks may go to besides this machine, so that a sandbox that runs
            with a copy of real settings does not report to the real site by mistake.
        callback_timeouts: seconds to wait for a callback's connection and for its answer.
        hang: seconds by which the fate that answers too late is late.
        on_event: is told a line about each request and each callback, from many threads.

    Raises:
        ValueError: one of these makes no sense; its sentence says which.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 0.1,
        retry_delay: float = 1.0,
        balance: Decimal | str = "707.54",
        default_dlr_url: str = "",
        callback_hosts: Collection[str] = (),
        callback_timeouts: tuple[float, float] = CALLBACK_TIMEOUTS,
        hang: float = 60.0,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        if not accounts or not all(username and password for username, password in accounts.items()):
            raise ValueError("The sandbox needs at least one account, and a password for each user name.")
        for name, value in {"delay": delay, "retry_delay": retry_delay, "hang": hang}.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is a number of seconds, 0 or more, not {value}.")
        self._address = loopback_address(host, port)
        self._hang = hang
        self._on_event = on_event or (lambda line: None)
        self._stopping = threading.Event()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._scheduler = Scheduler()
        self._state = State(accounts, balance=Decimal(balance))
        callback_sender = CallbackSender(
            self._state,
            self._scheduler,
            delay=delay,
            retry_delay=retry_delay,
            timeouts=callback_timeouts,
            default_url=default_dlr_url,
            hosts=callback_hosts,
            on_event=self._on_event,
        )
        self._apis = (SmsApi(self._state, callback_sender), OmnichannelApi(self._state, callback_sender))

    def start(self) -> Self:
        """Listen and serve, in daemon threads, until `stop`.

        Raises:
            OSError: the port is taken, or may not be listened on.
            RuntimeError: it has been started before; what it knows and does ends with `stop`.
        """
        if self._server is not None:
            raise RuntimeError("A sandbox is started only once. Make a new one.")
        self._server = Server(self._address, answer=self._answer, busy=self._scheduler.busy, hold=self._hold)
        # A short interval, because it is how long stopping has to wait.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._scheduler.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """End everything: hanging answers are given, callbacks that wait are forgotten, connections are closed."""
        if self._server is None or self._thread is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._scheduler.stop(timeout=GRACE)
        self._server.hang_up(timeout=GRACE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of the SMS API, without a slash at its end.

        Raises:
            RuntimeError: the sandbox has not been started.
        """
        if self._server is None:
            raise RuntimeError("The sandbox has no URL before it is started.")
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"

    @property
    def omnichannel_url(self) -> str:
        """The base URL of the Omnichannel API, with its version and without a slash at its end.

        Raises:
            RuntimeError: the sandbox has not been started.
        """
        return f"{self.url}/v1"

    @property
    def messages(self) -> tuple[SandboxMessage, ...]:
        """The messages accepted so far, the oldest first; an omnimessage gives one for each channel."""
        return self._state.messages

    @property
    def callbacks(self) -> tuple[CallbackAttempt, ...]:
        """The attempts to make callbacks so far, the oldest first."""
        return self._state.callbacks

    @property
    def balance(self) -> Decimal:
        """The credit of every account, in EUR."""
        return self._state.balance

    @balance.setter
    def balance(self, balance: Decimal | str) -> None:
        self._state.balance = Decimal(balance)

    def wait_until_idle(self, timeout: float = 10.0) -> bool:
        """Wait until every request is answered and every report told, its retries included.

        Args:
            timeout: the longest time to wait, in seconds.

        Returns:
            False if that was not long enough.
        """
        return self._scheduler.wait_until_idle(timeout)

    def _answer(self, request: Request) -> Answer:
        for api in self._apis:
            answer = api.answer(request)
            if answer is not None:
                break
        else:
            answer = plain("HTTP 404")
        self._on_event(
            request_line(
                method=request.method,
                endpoint=answer.endpoint,
                recipient=answer.recipient,
                status=answer.status,
                answer=answer.summary + (" (too late)" if answer.times_out else ""),
            )
        )
        return answer

    def _hold(self) -> None:
        self._stopping.wait(self._hang)
