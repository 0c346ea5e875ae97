"""The state of the sandbox: accounts, balance, accepted messages and attempted callbacks.

Many threads call these methods at the same time. All changes happen under one lock, and the methods return tuples,
which later changes do not affect.
"""

from __future__ import annotations

import hmac
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto

from django_messente_dlr.sandbox.messages import CallbackAttempt, ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.scenario import Step
from django_messente_dlr.sandbox.scenarios import SCENARIOS, scenario_of


class CancelResult(Enum):
    """What a request to cancel a message did. A message that was cancelled before is UNKNOWN to the sandbox."""

    CANCELLED = auto()
    UNKNOWN = auto()
    TOO_LATE = auto()


class State:
    """Everything that the sandbox stores. Safe to share between threads.

    Args:
        accounts: the passwords by user name.
        balance: the credit of every account, in EUR. Sending does not reduce it.
    """

    def __init__(self, accounts: Mapping[str, str], *, balance: Decimal) -> None:
        self._accounts = dict(accounts)
        self._lock = threading.Lock()
        self._messages: list[SandboxMessage] = []
        self._sms: dict[str, SandboxMessage] = {}
        self._omnimessages: dict[str, tuple[SandboxMessage, ...]] = {}
        self._callbacks: list[CallbackAttempt] = []
        self._refused: set[str] = set()
        self._accepted: Counter[str] = Counter()
        self.balance = balance
        self.channel_scenarios: Mapping[str, str] = {}

    @property
    def messages(self) -> tuple[SandboxMessage, ...]:
        """The messages accepted so far, the oldest first."""
        with self._lock:
            return tuple(self._messages)

    @property
    def callbacks(self) -> tuple[CallbackAttempt, ...]:
        """The attempts to send callbacks so far, the oldest first."""
        with self._lock:
            return tuple(self._callbacks)

    @property
    def accepted(self) -> dict[str, int]:
        """The number of messages accepted so far, by recipient with a plus sign. An omnimessage counts once."""
        with self._lock:
            return dict(self._accepted)

    def accepts(self, username: str, password: str) -> bool:
        """Return whether these are the credentials of an account."""
        expected = self._accounts.get(username, "")
        return hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogatepass")) and bool(expected)

    def password_of(self, account: str) -> str:
        """Return the password that signs an account's callbacks."""
        return self._accounts[account]

    def refusal_for(self, recipient: str) -> str | None:
        """Return the response that refuses a message to ``recipient``, or None if the sandbox accepts it."""
        scenario = scenario_of(recipient)
        if scenario.refusal is None or not scenario.recovers:
            return scenario.refusal
        with self._lock:
            if recipient in self._refused:
                self._refused.remove(recipient)
                return None
            self._refused.add(recipient)
            return scenario.refusal

    def add_sms(self, message: SandboxMessage) -> None:
        """Store an accepted message of the SMS API."""
        with self._lock:
            self._add(message)
            self._sms[message.message_id] = message

    def add_omnimessage(self, omnimessage_id: str, messages: tuple[SandboxMessage, ...]) -> None:
        """Store an accepted omnimessage: one message for each channel, in the order of the channels."""
        with self._lock:
            self._add(*messages)
            self._omnimessages[omnimessage_id] = messages

    def _add(self, *messages: SandboxMessage) -> None:
        for position, message in enumerate(messages):
            digits = self.channel_scenarios.get(message.channel)
            scenario = SCENARIOS[digits] if digits else message.scenario
            message.steps = scenario.steps_of(position, count=len(messages))
            message.is_tried = position == 0
        self._messages.extend(messages)
        self._accepted[f"+{messages[0].recipient.removeprefix('+')}"] += 1

    def sms(self, message_id: str, *, account: str) -> SandboxMessage | None:
        """Return an account's message of the SMS API by its ``sms_unique_id``, or None."""
        with self._lock:
            message = self._sms.get(message_id)
        return message if message is not None and message.account == account else None

    def omnimessage(self, omnimessage_id: str, *, account: str) -> tuple[SandboxMessage, ...]:
        """Return the messages of an account's omnimessage, in the order of their channels; () if there is none."""
        with self._lock:
            messages = self._omnimessages.get(omnimessage_id, ())
        return tuple(message for message in messages if message.account == account)

    def record_poll(self, message: SandboxMessage) -> str | None:
        """Count a poll for a report; return the response that the scenario prescribes for it, or None."""
        with self._lock:
            message.poll_count += 1
            responses = message.scenario.poll_first
            return responses[message.poll_count - 1] if message.poll_count <= len(responses) else None

    def record_event(self, message: SandboxMessage, step: Step) -> ReportEvent | None:
        """Create and return a report about a message, or return None if the message was cancelled."""
        event = ReportEvent(step=step, at=datetime.now(UTC))
        with self._lock:
            if message.cancelled:
                return None
            message.events += (event,)
            return event

    def next_channel(self, message: SandboxMessage) -> SandboxMessage | None:
        """Return the message of the channel to try after ``message``, and mark it as tried.

        Return None if ``message`` has not failed, is the last one, or the next one was tried before.
        """
        with self._lock:
            messages = self._omnimessages.get(message.omnimessage_id, (message,))
            for following in messages[messages.index(message) + 1 :][:1]:
                if message.has_failed and not following.is_tried:
                    following.is_tried = True
                    return following
            return None

    def cancel(self, *messages: SandboxMessage, now: datetime) -> CancelResult:
        """Cancel the messages of an SMS or an omnimessage if their time to be sent has not come.

        Args:
            messages: the messages of all channels, or none if the request's id is unknown.
            now: the time of the sandbox's clock.
        """
        with self._lock:
            if not messages or messages[0].cancelled:
                return CancelResult.UNKNOWN
            if any(message.send_at is None or message.send_at <= now for message in messages):
                return CancelResult.TOO_LATE
            for message in messages:
                message.cancelled = True
            return CancelResult.CANCELLED

    def record_attempt(self, attempt: CallbackAttempt) -> None:
        """Store an attempt to send a callback."""
        with self._lock:
            self._callbacks.append(attempt)
