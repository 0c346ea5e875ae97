"""What one run did, in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django_messente_dlr.maintenance.sweep import SweepResult
from django_messente_dlr.polling.results import PollOutcome, PollResult


@dataclass(slots=True)
class Summary:
    """What one run did, in numbers of messages unless it says otherwise.

    Attributes:
        asked: questions that were asked.
        final: messages whose end was learnt.
        open: messages that are to be asked about again.
        unresolved: messages that were given up after 48 hours.
        failed: questions that were not answered, or not understandably.
        postponed: messages that were due but not asked about, because Messente could not be reached or wanted fewer
            questions, the run was ended, or their id or their account is not known here.
        matched: orphan reports whose message was found.
        dispatched: reports whose signals a dead process had left unsent.
        stopped: what is wrong with the accounts that were stopped, by their names.
    """

    asked: int = 0
    final: int = 0
    open: int = 0
    unresolved: int = 0
    failed: int = 0
    postponed: int = 0
    matched: int = 0
    dispatched: int = 0
    stopped: dict[str, str] = field(default_factory=dict)

    def count_question(self, results: Iterable[PollResult]) -> None:
        """Add what the answer to one question did."""
        told = list(results)
        if any(result.outcome is not PollOutcome.NOT_ASKED for result in told):
            self.asked += 1
            self.failed += any(result.error for result in told)
        self.count(told)

    def count(self, results: Iterable[PollResult]) -> None:
        """Add what was done to messages without asking."""
        for result in results:
            if result.outcome is PollOutcome.FINAL:
                self.final += 1
            elif result.outcome is PollOutcome.STILL_PENDING:
                self.open += 1
            elif result.outcome is PollOutcome.UNRESOLVED:
                self.unresolved += 1
            elif result.outcome is PollOutcome.NOT_ASKED:
                self.postponed += 1

    def add_swept(self, swept: SweepResult) -> None:
        """Add what a sweep did."""
        self.matched += swept.matched
        self.dispatched += swept.dispatched
