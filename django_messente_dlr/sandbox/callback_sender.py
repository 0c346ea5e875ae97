"""The courier tells a message's reports: in what order, after what delay, and how often again.

In comes a message that was accepted; out go callbacks, and lines about them for whoever watches. What a callback
looks like is for `callbacks` to say.
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

# Documentation: «Delivery Report», Notes, for the GET callback. How often a POST is made again, and how long its
# answer is waited for, nobody says; here it is the same.
RETRIES = 5


class CallbackSender:
    """Tells the reports of messages. Safe to share between threads.

    Args:
        state: what is known of the messages.
        scheduler: does what is to be done later.
        delay: seconds before the first report, and between one report and the next.
        retry_delay: seconds before a callback that failed is made again. Messente's own spacing is not known.
        timeouts: seconds to wait for a callback's connection and for its answer.
        default_url: the URL for messages that have none.
        hosts: names of hosts that may be called besides this machine's own.
        on_event: is told a line about every attempt.
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
        """Take charge of a message; return what is to be called when its sending has been answered.

        A fate that overtakes the answer is told before this returns.
        """
        if message.scenario.before_response and message.send_at is None:
            self.report(message)
            return _nothing_more
        return partial(self.begin, message)

    def begin(self, message: SandboxMessage) -> None:
        """Have the message's reports told in due time."""
        wait = (message.send_at - datetime.now(UTC)).total_seconds() if message.send_at else 0.0
        self._scheduler.put(partial(self.report, message), delay=max(0.0, wait) + self._delay)

    def report(self, message: SandboxMessage, number: int = 0) -> None:
        """Let a report come about and tell it now, in the calling thread; the ones after it follow later.

        Args:
            message: the message.
            number: which of the fate's reports, from 0. There may be none.
        """
        step = next(iter(message.scenario.steps[number:]), None)
        if step is None or (event := self._state.happen(message, step)) is None:
            return
        url = message.dlr_url or self._default_url
        if step.callback and url:
            password = self._state.password_of(message.account)
            callback = callback_for(message, event, url=url, password=password)
            for _ in range(step.times - 1):
                self._scheduler.put(partial(self._tell, callback), delay=0.0)
            self._tell(callback)
        # Only now, so that the reports of a fate are first told in its order. Their retries mix as they like.
        if number + 1 < len(message.scenario.steps):
            self._scheduler.put(partial(self.report, message, number + 1), delay=self._delay)

    def _tell(self, callback: Callback, attempt: int = 1) -> None:
        outcome = callback.make(attempt=attempt, timeouts=self._timeouts, hosts=self._hosts)
        self._state.note(outcome)
        self._on_event(callback_line(outcome))
        if not outcome.ok and attempt <= RETRIES and outcome.error != NOT_CALLED:
            self._scheduler.put(partial(self._tell, callback, attempt + 1), delay=self._retry_delay)


def _nothing_more() -> None:
    """Do nothing: everything is under way."""
