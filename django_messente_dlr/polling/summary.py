"""The numbers of one poller run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django_messente_dlr.maintenance.sweep import SweepResult
from django_messente_dlr.polling.results import PollOutcome, PollResult


@dataclass(slots=True)
class Summary:
    """The numbers of one poller run.

    Attributes:
        asked: requests that were sent.
        final: messages that became final.
        open: messages that will be polled again.
        unresolved: messages whose report has expired without a final one.
        failed: requests without a response, or with one that was not understood.
        postponed: messages that were due and not polled. Messente was not reachable or limited the rate, the run was
            stopped, or the message has no id or its account is not configured.
        matched: orphan reports that were matched to a message.
        dispatched: reports whose signals were due: deferred ones, and those of a process that died.
        scheduled: messages that the project had inserted without a pending poll, and that have one now.
        stopped: the errors of the accounts that Messente refused, by account name.
        held: by name, the accounts that are on credit hold after the last sweep, with a description of the hold.
    """

    asked: int = 0
    final: int = 0
    open: int = 0
    unresolved: int = 0
    failed: int = 0
    postponed: int = 0
    matched: int = 0
    dispatched: int = 0
    scheduled: int = 0
    stopped: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    def count_request(self, results: Iterable[PollResult]) -> None:
        """Add the results of one request."""
        results = list(results)
        if any(result.outcome is not PollOutcome.NOT_ASKED for result in results):
            self.asked += 1
            self.failed += any(result.error for result in results)
        self.count(results)

    def count(self, results: Iterable[PollResult]) -> None:
        """Add the results of messages."""
        for result in results:
            if result.outcome is PollOutcome.FINAL:
                self.final += 1
            elif result.outcome is PollOutcome.STILL_PENDING:
                self.open += 1
            elif result.outcome is PollOutcome.UNRESOLVED:
                self.unresolved += 1
            elif result.outcome is PollOutcome.NOT_ASKED:
                self.postponed += 1

    def add_sweep(self, result: SweepResult) -> None:
        """Add the numbers of a sweep, and replace the accounts on hold."""
        self.matched += result.matched
        self.dispatched += result.dispatched
        self.scheduled += result.scheduled
        self.held = result.held
