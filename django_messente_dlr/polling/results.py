"""The result of polling a message, and when it is polled next."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, F, TextChoices, Value, When
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.models import SmsMessage
from django_messente_dlr.receiving import lookup
from django_messente_dlr.utils.rate_limiter import RequestSkipped
from django_messente_dlr.utils.times import shift


class PollOutcome(TextChoices):
    """The outcome of polling one message."""

    FINAL = "final", _("The final status is known.")
    STILL_PENDING = "open", _("There is no final status yet. The message will be polled again.")
    UNRESOLVED = "unresolved", _("Messente reported no final status within 48 hours.")
    REFUSED = "refused", _("Messente refuses the account.")
    NOT_ASKED = "not_asked", _("Messente was not polled.")


ENDED = frozenset({PollOutcome.FINAL, PollOutcome.UNRESOLVED})


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of polling one message.

    Attributes:
        message: its row as it was claimed.
        outcome: the outcome.
        error: why the request was not sent or not answered, as a sentence; "" if it was answered.
        next_poll_at: when it is polled again, which `save_schedule` stores; None leaves the stored time.
    """

    message: SmsMessage
    outcome: PollOutcome
    error: str = ""
    next_poll_at: datetime | None = None


def save_schedule(results: Iterable[PollResult]) -> None:
    """Store when messages are to be polled again, and count the polls.

    A row is changed only where it still has what the claim wrote. A message that has become final meanwhile has no
    row any more; the time of one that was sent meanwhile, or whose claim has expired, is not ours to set.

    Args:
        results: the results of one batch.
    """
    results = list(results)
    polled = [
        result.message.pk for result in results if result.next_poll_at and result.outcome is not PollOutcome.NOT_ASKED
    ]
    if polled:
        lookup.messages().filter(pk__in=polled).update(poll_count=F("poll_count") + 1)
    claims: dict[datetime, list[PollResult]] = {}
    for result in results:
        if (claimed_until := result.message.next_poll_at) is not None:
            claims.setdefault(claimed_until, []).append(result)
    for claimed_until, claimed in claims.items():
        due = {result.message.pk: result.next_poll_at for result in claimed if result.next_poll_at}
        if due:
            times = Case(*(When(pk=pk, then=Value(at)) for pk, at in due.items()), output_field=DateTimeField())
            lookup.pending().filter(pk__in=due, due_at=claimed_until).update(due_at=times)
        # Recording the end has deleted the row. Where it has not, the message would be polled indefinitely.
        ended = [result.message.pk for result in claimed if not result.next_poll_at and result.outcome in ENDED]
        if ended:
            lookup.pending().filter(pk__in=ended, due_at=claimed_until).delete()


def postpone(messages: Collection[SmsMessage], reason: RequestSkipped, *, now: datetime) -> list[PollResult]:
    """Make claimed messages that were not polled due again, and return their results.

    Args:
        messages: the rows as they were claimed.
        reason: why they were not polled, and after how many seconds they are due again.
        now: the current time.
    """
    if reason.again_in is not None:
        due_at = shift(now, timedelta(seconds=reason.again_in))
        # Only where the row still has what the claim wrote: another process may have claimed it after that expired.
        for claimed_until in {message.next_poll_at for message in messages}:
            if claimed_until is None:
                continue
            keys = [message.pk for message in messages if message.next_poll_at == claimed_until]
            lookup.pending().filter(pk__in=keys, due_at=claimed_until).update(due_at=due_at)
    return [PollResult(message, PollOutcome.NOT_ASKED, str(reason)) for message in messages]
