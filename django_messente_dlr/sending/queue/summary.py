"""The numbers of one run of the send queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django_messente_dlr.sending.queue.results import SendOutcome


@dataclass(slots=True)
class QueueSummary:
    """The numbers of one run of the send queue.

    Attributes:
        sent: messages that Messente has accepted.
        refused: messages that were refused, and are not sent again.
        failed: messages that were certainly not sent in the last of ``QUEUE_MAX_ATTEMPTS`` attempts.
        postponed: messages that were certainly not sent, and are tried again.
        unknown: messages that Messente may have. They are not sent again.
        stopped: the errors of the accounts that Messente refused, by account name. Their messages wait.
        held: the accounts on credit hold, whose messages wait.
    """

    sent: int = 0
    refused: int = 0
    failed: int = 0
    postponed: int = 0
    unknown: int = 0
    stopped: dict[str, str] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)

    def count(self, outcomes: Iterable[SendOutcome]) -> None:
        """Add the outcomes of messages. A message without a request is not counted: it waits as before."""
        for outcome in outcomes:
            if outcome is not SendOutcome.NOT_REQUESTED:
                setattr(self, outcome.value, getattr(self, outcome.value) + 1)
