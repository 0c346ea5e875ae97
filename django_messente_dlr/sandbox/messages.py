"""The records of the sandbox: a message, a report about it, and an attempt to send a callback.

Only `state` changes a message, under its lock; the other modules read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_messente_dlr.messente.codes import DeliveryClass
from django_messente_dlr.sandbox.scenario import Scenario, Step, has_failed, highest_class, highest_step
from django_messente_dlr.sandbox.scenarios import scenario_of

# A recipient in E.164 format, with or without the plus sign.
NUMBER = re.compile(r"\+?[0-9]{7,15}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ReportEvent:
    """A report that exists: the scenario's `step`, and the time `at` which it was created."""

    step: Step
    at: datetime


@dataclass(eq=False, kw_only=True)
class SandboxMessage:
    """A message that the sandbox accepted.

    Attributes:
        message_id: the ``sms_unique_id``, or the ``message_id`` of the Omnichannel API.
        account: the user name of the account that sent it.
        recipient: the number as the request spelled it.
        sender: the sender's name.
        text: the text; "" where the channel has none.
        dlr_url: the callback URL; "" for the sandbox's default.
        channel: sms, viber, whatsapp, rcs …
        omnimessage_id: the omnimessage that the message belongs to; "" for a message of the SMS API.
        content: the channel's JSON object as the request contained it; empty for a message of the SMS API.
        send_at: the time to send it, in UTC; None for immediately.
        steps: the reports that the scenario prescribes for it.
        is_tried: whether it was sent, or is the first one: the other channels wait until the channel before fails.
        events: the reports so far, with or without a callback.
        poll_count: the number of requests for its report.
        cancelled: whether it was cancelled before its time to be sent.
    """

    message_id: str
    account: str
    recipient: str
    sender: str = ""
    text: str = field(default="", repr=False)
    dlr_url: str = field(default="", repr=False)
    channel: str = "sms"
    omnimessage_id: str = ""
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    send_at: datetime | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)
    is_tried: bool = False
    events: tuple[ReportEvent, ...] = ()
    poll_count: int = 0
    cancelled: bool = False

    @property
    def scenario(self) -> Scenario:
        """The scenario that the recipient's last three digits choose."""
        return scenario_of(self.recipient)

    @property
    def delivery_class(self) -> DeliveryClass | None:
        """Messente's class for the reports so far; None if none of them has a class."""
        return highest_class(event.step for event in self.events)

    @property
    def has_failed(self) -> bool:
        """Whether the reports so far are those of a failure, so that the next channel is tried."""
        return has_failed(event.step for event in self.events)

    @property
    def report(self) -> ReportEvent | None:
        """The report with the highest class so far, or None before the first one."""
        highest = highest_step(event.step for event in self.events)
        return next((event for event in reversed(self.events) if event.step is highest), None)

    @property
    def parts(self) -> int:
        """The number of parts of an SMS with this text: an estimate for the price, without the GSM alphabet."""
        single, chained = (160, 153) if self.text.isascii() else (70, 67)
        return 1 if len(self.text) <= single else -(-len(self.text) // chained)


@dataclass(frozen=True, kw_only=True)
class CallbackAttempt:
    """One attempt to send a callback.

    Attributes:
        message: the message that the report is about.
        step: the report.
        method: GET for the SMS API, POST for the Omnichannel API.
        url: the URL called. It may hold a token, so it stays out of the repr.
        attempt: 1 for the first attempt, up to 6.
        status: the HTTP status of the response, or None without a response.
        error: the reason why there is no response, in a few words; "" with a response.
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
