"""What the sandbox remembers: accounts, balance, the messages it accepted and the callbacks it made.

In come calls from many threads at once; everything that changes does so under one lock, and what goes out are
tuples of what was there at that moment.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from django_messente_dlr.sandbox.messages import CallbackAttempt, ReportEvent, SandboxMessage
from django_messente_dlr.sandbox.scenario import Step
from django_messente_dlr.sandbox.scenarios import scenario_of


class State:
    """Everything that the sandbox knows. Safe to share between threads.

    Args:
        accounts: the passwords by user name.
        balance: the credit of every account, in EUR. Nothing uses it up.
    """

    def __init__(self, accounts: Mapping[str, str], *, balance: Decimal) -> None:
        self._accounts = dict(accounts)
        self._lock = threading.Lock()
        self._messages: list[SandboxMessage] = []
        self._sms: dict[str, SandboxMessage] = {}
        self._omnimessages: dict[str, tuple[SandboxMessage, ...]] = {}
        self._callbacks: list[CallbackAttempt] = []
        self._refused: set[str] = set()
        self.balance = balance

    @property
    def messages(self) -> tuple[SandboxMessage, ...]:
        """The messages accepted so far, the oldest first."""
        with self._lock:
            return tuple(self._messages)

    @property
    def callbacks(self) -> tuple[CallbackAttempt, ...]:
        """The attempts to tell reports so far, the oldest first."""
        with self._lock:
            return tuple(self._callbacks)

    def accepts(self, username: str, password: str) -> bool:
        """Tell whether these are an account's credentials."""
        known = self._accounts.get(username, "")
        return hmac.compare_digest(known.encode(), password.encode("utf-8", "surrogatepass")) and bool(known)

    def password_of(self, account: str) -> str:
        """Return the password that signs an account's callbacks."""
        return self._accounts[account]

    def refusal_for(self, recipient: str) -> str | None:
        """Return what sending to ``recipient`` is answered with instead of an id, or None if it is accepted."""
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
        """Remember a message of the SMS API that was accepted."""
        with self._lock:
            self._messages.append(message)
            self._sms[message.message_id] = message

    def add_omnimessage(self, omnimessage_id: str, messages: tuple[SandboxMessage, ...]) -> None:
        """Remember an omnimessage that was accepted, as the messages of its channels in their order."""
        with self._lock:
            self._messages.extend(messages)
            self._omnimessages[omnimessage_id] = messages

    def sms(self, message_id: str, *, account: str) -> SandboxMessage | None:
        """Return an account's message of the SMS API by its ``sms_unique_id``."""
        with self._lock:
            message = self._sms.get(message_id)
        return message if message is not None and message.account == account else None

    def omnimessage(self, omnimessage_id: str, *, account: str) -> tuple[SandboxMessage, ...]:
        """Return the messages of an account's omnimessage, in the order of their channels; () if there is none."""
        with self._lock:
            messages = self._omnimessages.get(omnimessage_id, ())
        return tuple(message for message in messages if message.account == account)

    def asked(self, message: SandboxMessage) -> str | None:
        """Count a question for a report; return the answer that the fate prescribes for it, if it does."""
        with self._lock:
            message.questions += 1
            scripted = message.scenario.poll_first
            return scripted[message.questions - 1] if message.questions <= len(scripted) else None

    def happen(self, message: SandboxMessage, step: Step) -> ReportEvent | None:
        """Let a report come about; return it, or None if the message was cancelled."""
        event = ReportEvent(step=step, at=datetime.now(UTC))
        with self._lock:
            if message.cancelled:
                return None
            message.events += (event,)
            return event

    def cancel(self, *messages: SandboxMessage) -> bool:
        """Cancel messages; return False if it is too late: something happened, or they were cancelled before."""
        with self._lock:
            if not messages or any(message.cancelled or message.events for message in messages):
                return False
            for message in messages:
                message.cancelled = True
            return True

    def note(self, attempt: CallbackAttempt) -> None:
        """Remember an attempt to tell a report."""
        with self._lock:
            self._callbacks.append(attempt)
