"""The order, the delays and the retries of a message's callbacks, and the fallback to the next channel.

`callbacks` builds and sends a single callback; this module decides when to send it, and when to send it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from django_messente_dlr.sandbox.callbacks import NOT_CALLED, Callback, callback_for
from django_messente_dlr.sandbox.log_lines import callback_line
from django_messente_dlr.sandbox.messages import ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.scheduler import Scheduler
from django_messente_dlr.sandbox.state import CancelResult, State

# Source for the GET callback: Messente's documentation, "Delivery Report", Notes. The number of retries of a POST,
# and how long Messente waits for its response, are not documented; the sandbox uses the values of the GET.
RETRIES = 5


class CallbackSender:
    """Send the callbacks of messages. Safe to share between threads.

    Args:
        state: the messages and their events.
        scheduler: runs the delayed callbacks.
        delay: seconds before the first report, and between one report and the next.
        simultaneous: whether all reports of a message are sent at the same moment, in any order.
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
        simultaneous: bool,
        retry_delay: float,
        timeouts: tuple[float, float],
        default_url: str,
        hosts: Collection[str],
        on_event: Callable[[str], None],
    ) -> None:
        self._state = state
        self._scheduler = scheduler
        self._delay = delay
        self._simultaneous = simultaneous
        self._interval = 0.0 if simultaneous else delay
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
        """Schedule the first report of the message, after its time to be sent."""
        wait = (message.send_at - self._scheduler.now()).total_seconds() if message.send_at else 0.0
        delay = max(0.0, wait) + self._delay
        self._scheduler.put(partial(self.report, message), delay=delay, owner=message)

    def report(self, message: SandboxMessage, number: int = 0, held: tuple[Callback, ...] = ()) -> None:
        """Record a report and send its callback in the calling thread; schedule the next report.

        If the message has failed, the message of the next channel is scheduled, too.

        Args:
            message: the message.
            number: the index of the step, from 0. Without such a step no report is recorded.
            held: callbacks of the channels before, to send after that of this report.
        """
        step = next(iter(message.steps[number:]), None)
        event = self._state.record_event(message, step) if step else None
        callbacks = self._callbacks_of(message, event) if event else ()
        following = self._state.next_channel(message)
        if following and step and step.late:
            held, callbacks = (*callbacks, *held), ()
        first = 0 if self._simultaneous else 1
        for callback in callbacks[first:]:
            self._scheduler.put(partial(self._send, callback), delay=0.0)
        for callback in (*callbacks[:first], *(() if following else held)):
            self._send(callback)
        # Scheduled after the callback was sent, so that the first attempts keep the scenario's order. Retries may
        # still come in any order.
        if event and number + 1 < len(message.steps):
            self._scheduler.put(partial(self.report, message, number + 1), delay=self._interval)
        if following:
            self._scheduler.put(partial(self.report, following, held=held), delay=self._interval)

    def cancel(self, *messages: SandboxMessage) -> CancelResult:
        """Cancel the messages of an SMS or an omnimessage. Nothing is reported about a cancelled message."""
        result = self._state.cancel(*messages, now=self._scheduler.now())
        if result is CancelResult.CANCELLED:
            self._scheduler.discard(messages[0])
        return result

    def _callbacks_of(self, message: SandboxMessage, event: ReportEvent) -> tuple[Callback, ...]:
        """Return the callbacks for a report, all of them identical."""
        url = message.dlr_url or self._default_url
        if not event.step.callback or not url:
            return ()
        callback = callback_for(message, event, url=url, password=self._state.password_of(message.account))
        return (callback,) * event.step.times

    def _send(self, callback: Callback, attempt_number: int = 1) -> None:
        attempt = callback.send(attempt=attempt_number, timeouts=self._timeouts, hosts=self._hosts)
        self._state.record_attempt(attempt)
        self._on_event(callback_line(attempt))
        if not attempt.ok and attempt_number <= RETRIES and attempt.error != NOT_CALLED:
            self._scheduler.put(partial(self._send, callback, attempt_number + 1), delay=self._retry_delay)


def _do_nothing() -> None:
    """Do nothing: the first callback was sent already."""
