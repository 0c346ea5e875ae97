"""The order, the delays and the retries of a message's callbacks.

`callbacks` builds and sends a single callback; this module decides when to send it, and when to send it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial

from django_messente_dlr.sandbox.callbacks import NOT_CALLED, Callback, callback_for
from django_messente_dlr.sandbox.log_lines import callback_line
from django_messente_dlr.sandbox.messages import SandboxMessage
from django_messente_dlr.sandbox.scheduler import Scheduler
from django_messente_dlr.sandbox.state import State

# Source for the GET callback: Messente's documentation, "Delivery Report", Notes. The number of retries of a POST,
# and how long Messente waits for its response, are not documented; the sandbox uses the values of the GET.
RETRIES = 5


class CallbackSender:
    """Send the callbacks of messages. Safe to share between threads.

    Args:
        state: the messages and their events.
        scheduler: runs the delayed callbacks.
        delay: seconds before the first report, and between one report and the next.
        retry_delay: seconds before a failed callback is retried. Messente's delay is not documented.
        timeouts: seconds to wait for a callback's connection and for its response.
        default_url: the callback URL of messages without one.
        hosts: names of hosts that may be called besides this machine.
        on_event: called with a line of text about every attempt.
    """

    def __init__(
        self,
        state: State,
        scheduler: Scheduler,
        *,
        delay: float,
        retry_delay: float,
        timeouts: tuple[float, float],
        default_url: str,
        hosts: Collection[str],
        on_event: Callable[[str], None],
    ) -> None:
        self._state = state
        self._scheduler = scheduler
        self._delay = delay
        self._retry_delay = retry_delay
        self._timeouts = timeouts
        self._default_url = default_url
        self._hosts = hosts
        self._on_event = on_event

    def accept(self, message: SandboxMessage) -> Callable[[], None]:
        """Accept a message, and return the function to call after the response to its sender.

        A scenario with ``before_response`` has its first callback sent before this method returns.
        """
        if message.scenario.before_response and message.send_at is None:
            self.report(message)
            return _do_nothing
        return partial(self.begin, message)

    def begin(self, message: SandboxMessage) -> None:
        """Schedule the first report of the message."""
        wait = (message.send_at - datetime.now(UTC)).total_seconds() if message.send_at else 0.0
        self._scheduler.put(partial(self.report, message), delay=max(0.0, wait) + self._delay)

    def report(self, message: SandboxMessage, number: int = 0) -> None:
        """Record a report and send its callback in the calling thread; schedule the next report.

        Args:
            message: the message.
            number: the index of the scenario's step, from 0. Without such a step nothing happens.
        """
        step = next(iter(message.scenario.steps[number:]), None)
        if step is None or (event := self._state.record_event(message, step)) is None:
            return
        url = message.dlr_url or self._default_url
        if step.callback and url:
            password = self._state.password_of(message.account)
            callback = callback_for(message, event, url=url, password=password)
            for _ in range(step.times - 1):
                self._scheduler.put(partial(self._send, callback), delay=0.0)
            self._send(callback)
        # Scheduled after the callback was sent, so that the first attempts keep the scenario's order. Retries may
        # still come in any order.
        if number + 1 < len(message.scenario.steps):
            self._scheduler.put(partial(self.report, message, number + 1), delay=self._delay)

    def _send(self, callback: Callback, attempt_number: int = 1) -> None:
        attempt = callback.send(attempt=attempt_number, timeouts=self._timeouts, hosts=self._hosts)
        self._state.record_attempt(attempt)
        self._on_event(callback_line(attempt))
        if not attempt.ok and attempt_number <= RETRIES and attempt.error != NOT_CALLED:
            self._scheduler.put(partial(self._send, callback, attempt_number + 1), delay=self._retry_delay)


def _do_nothing() -> None:
    """Do nothing: the first callback was sent already."""
