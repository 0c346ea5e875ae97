"""What the sandbox remembers, as values: a message, a report that came about, an attempt to tell it.

Only `state` changes a message, under its lock; everybody else reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from django_messente_dlr.messente.codes import DeliveryClass
from django_messente_dlr.sandbox.scenario import Scenario, Step, amount_to, most_telling
from django_messente_dlr.sandbox.scenarios import scenario_of

# What a recipient looks like: E.164, with or without its plus.
NUMBER = re.compile(r"\+?[0-9]{7,15}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ReportEvent:
    """A report that has come about: `step`, and when."""

    step: Step
    at: datetime


@dataclass(eq=False, kw_only=True)
class SandboxMessage:
    """A message that the sandbox accepted.

    Attributes:
        message_id: its ``sms_unique_id``, or its ``message_id`` in the Omnichannel API.
        account: the user name that sent it.
        recipient: the number as it was given.
        sender: the sender's name.
        text: the text, as far as its channel has one.
        dlr_url: where its reports go; "" for the sandbox's default.
        channel: sms, viber, whatsapp, rcs …
        omnimessage_id: the omnimessage that it belongs to; "" for one of the SMS API.
        send_at: when it is to be sent, in UTC; None for at once.
        events: the reports that have come about, whether or not a callback told them.
        questions: how many times somebody asked for its report.
        cancelled: whether it was cancelled before anything happened.
    """

    message_id: str
    account: str
    recipient: str
    sender: str = ""
    text: str = field(default="", repr=False)
    dlr_url: str = field(default="", repr=False)
    channel: str = "sms"
    omnimessage_id: str = ""
    send_at: datetime | None = None
    events: tuple[ReportEvent, ...] = ()
    questions: int = 0
    cancelled: bool = False

    @property
    def scenario(self) -> Scenario:
        """What becomes of it."""
        return scenario_of(self.recipient)

    @property
    def delivery_class(self) -> DeliveryClass | None:
        """Messente's class for what has happened so far; None where that says nothing."""
        return amount_to(event.step for event in self.events)

    @property
    def report(self) -> ReportEvent | None:
        """The report that says most of what has happened so far, or None before any."""
        best = most_telling(event.step for event in self.events)
        return next((event for event in reversed(self.events) if event.step is best), None)

    @property
    def parts(self) -> int:
        """In how many parts an SMS of its text goes. Close enough for a price: no alphabet is looked up."""
        single, chained = (160, 153) if self.text.isascii() else (70, 67)
        return 1 if len(self.text) <= single else -(-len(self.text) // chained)


@dataclass(frozen=True, kw_only=True)
class CallbackAttempt:
    """One attempt to tell a report.

    Attributes:
        message: the message that it is about.
        step: the report.
        method: GET for the SMS API, POST for the Omnichannel API.
        url: the URL called. It may hold a token, so it stays out of the repr.
        attempt: 1 for the first one, up to 6.
        status: the HTTP status that came back, or None where none did.
        error: why no answer came, in a word or two; "" where one did.
        ok: whether the report counts as received.
    """

    message: SandboxMessage
    step: Step
    method: str
    url: str = field(repr=False)
    attempt: int
    status: int | None
    error: str
    ok: bool
