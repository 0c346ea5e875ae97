"""`Sandbox`: the public class that starts and stops the sandbox, and shows its messages and callbacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Self

from django_messente_dlr.messente.reports import CALLBACK_TIMEOUTS
from django_messente_dlr.sandbox.addresses import loopback_address
from django_messente_dlr.sandbox.callback_sender import CallbackSender
from django_messente_dlr.sandbox.control import check_channel_scenarios
from django_messente_dlr.sandbox.log_lines import ignore_line
from django_messente_dlr.sandbox.messages import CallbackAttempt, SandboxMessage
from django_messente_dlr.sandbox.router import Router
from django_messente_dlr.sandbox.scheduler import Scheduler, check_seconds
from django_messente_dlr.sandbox.server import Server
from django_messente_dlr.sandbox.state import State

# Seconds that `Sandbox.stop` waits for the open connections, and again for the callbacks that are being sent.
GRACE = 2.0


class Sandbox:
    """A local Messente over real HTTP, for this machine alone.

    The sandbox accepts messages through both of Messente's APIs, and sends callbacks to their ``dlr-url``. The
    recipient's last three digits choose the scenario: see `scenarios`. A context manager starts and stops it.

    Args:
        accounts: the passwords by user name; at least one.
        host: the address to listen on: localhost, or a loopback address.
        port: the port to listen on; 0 takes a free one.
        delay: seconds before a message's first report, and between one report and the next.
        simultaneous: whether a message's reports are sent at the same moment instead, by several threads.
        retry_delay: seconds before a failed callback is retried, at most five times, as Messente retries a GET. Its
            delay, and how often it retries a POST, are not documented.
        balance: the credit of every account, in EUR. Sending does not reduce it; set `balance` to change it.
        default_dlr_url: the callback URL of messages without one.
        callback_hosts: names of hosts that may be called besides this machine. Without this limit, a sandbox that
            runs with a copy of production settings would report to production.
        callback_timeouts: seconds to wait for a callback's connection and for its response.
        hang: seconds by which the response is late in a scenario with ``times_out``.
        on_event: called with a line of text about each request and each callback, from many threads.

    Raises:
        ValueError: an argument is invalid; the message names it.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 0.1,
        simultaneous: bool = False,
        retry_delay: float = 1.0,
        balance: Decimal | str = "707.54",
        default_dlr_url: str = "",
        callback_hosts: Collection[str] = (),
        callback_timeouts: tuple[float, float] = CALLBACK_TIMEOUTS,
        hang: float = 60.0,
        on_event: Callable[[str], None] = ignore_line,
    ) -> None:
        if not accounts or not all(username and password for username, password in accounts.items()):
            raise ValueError("The sandbox needs at least one account, and a password for every user name.")
        check_seconds(delay=delay, retry_delay=retry_delay, hang=hang)
        self._address = loopback_address(host, port)
        self._stopping = threading.Event()
        self._hang = partial(self._stopping.wait, hang)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._scheduler = Scheduler()
        self._state = State(accounts, balance=Decimal(balance))
        callback_sender = CallbackSender(
            self._state,
            self._scheduler,
            delay=delay,
            simultaneous=simultaneous,
            retry_delay=retry_delay,
            timeouts=callback_timeouts,
            default_url=default_dlr_url,
            hosts=callback_hosts,
            on_event=on_event,
        )
        self._router = Router(self._state, callback_sender, on_event=on_event)

    def start(self) -> Self:
        """Listen and serve in daemon threads until `stop`.

        Raises:
            OSError: the port is in use, or the process may not listen on it.
            RuntimeError: the sandbox has been started before. A stopped sandbox cannot be started again.
        """
        if self._server is not None:
            raise RuntimeError("A sandbox can be started only once. Create another one.")
        self._server = Server(
            self._address, respond=self._router.respond, busy=self._scheduler.busy, delay_response=self._hang
        )
        # A short poll interval, because `stop` waits for up to one interval.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._scheduler.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving: send the delayed responses, discard the pending callbacks, and close the connections."""
        if self._server is None or self._thread is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._scheduler.stop(timeout=GRACE)
        self._server.close_connections(timeout=GRACE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of the SMS API, without a slash at its end.

        Raises:
            RuntimeError: the sandbox has not been started.
        """
        if self._server is None:
            raise RuntimeError("The sandbox has no URL until it is started.")
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
        """The messages accepted so far, the oldest first; an omnimessage adds one for each channel."""
        return self._state.messages

    @property
    def callbacks(self) -> tuple[CallbackAttempt, ...]:
        """The attempts to send callbacks so far, the oldest first."""
        return self._state.callbacks

    @property
    def balance(self) -> Decimal:
        """The credit of every account, in EUR."""
        return self._state.balance

    @balance.setter
    def balance(self, balance: Decimal | str) -> None:
        self._state.balance = Decimal(balance)

    @property
    def accepted(self) -> dict[str, int]:
        """The number of messages accepted so far, by recipient with a plus sign. An omnimessage counts once."""
        return self._state.accepted

    @property
    def channel_scenarios(self) -> Mapping[str, str]:
        """The scenarios by channel, for the reports of messages that are accepted later: ``{"viber": "001"}``."""
        return self._state.channel_scenarios

    @channel_scenarios.setter
    def channel_scenarios(self, channel_scenarios: Mapping[str, str]) -> None:
        self._state.channel_scenarios = check_channel_scenarios(channel_scenarios)

    def advance(self, seconds: float) -> None:
        """Advance the sandbox's clock, so that the scheduled messages and reports of that time are sent now.

        Raises:
            ValueError: ``seconds`` is negative or not finite.
        """
        check_seconds(seconds=seconds)
        self._scheduler.advance(seconds)

    def wait_until_idle(self, timeout: float = 10.0) -> bool:
        """Wait until every request has its response, and every callback is sent; return whether both are so.

        Args:
            timeout: the longest time to wait, in seconds.
        """
        return self._scheduler.wait_until_idle(timeout)
