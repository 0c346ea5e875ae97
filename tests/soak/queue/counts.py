"""Compare what Messente accepted in a night with the rows, count by count."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from django_messente_dlr.models import PendingPoll, QueuedMessage, SmsMessage
from tests.soak.lines import Line, exactly, none
from tests.soak.queue.night import Night


def compare(night: Night) -> Iterator[Line]:
    """Yield every count of a night, with the values that agree."""
    total, accepted = night.options.messages, night.accepted
    unknown = QueuedMessage.objects.unknown(timezone.now())
    unknown_numbers = set(unknown.values_list("message__recipient", flat=True))
    sent_numbers = set(SmsMessage.objects.filter(status="sent").values_list("recipient", flat=True))
    yield exactly("messages stored", total, SmsMessage.objects.count())
    yield none("numbers that got two messages", (number for number, times in accepted.items() if times > 1))
    yield exactly("messages that are sent, or whose outcome is unknown", total, len(sent_numbers | unknown_numbers))
    yield none("messages that are sent, and whose outcome is unknown", sent_numbers & unknown_numbers)
    yield none("messages that are sent, and that Messente does not have", sent_numbers - accepted.keys())
    yield none(
        "messages that Messente has, and that are neither sent nor unknown",
        accepted.keys() - sent_numbers - unknown_numbers,
    )
    yield none(
        "rows in the queue whose outcome is not unknown", QueuedMessage.objects.exclude(pk__in=unknown.values("pk"))
    )
    yield exactly("messages that are polled", total, PendingPoll.objects.count())
    lost_answers = night.options.lost_answers
    per_kill = 1000 if night.options.bulk else 16  # the requests under way in a worker
    interruptions = len(night.killed) + night.crashes * night.options.workers
    limit = lost_answers + (interruptions + night.restarts * night.options.workers) * per_kill
    yield Line("unknown outcomes", 0, limit, len(unknown_numbers))
    yield Line("unknown outcomes that Messente has", 0, None, len(unknown_numbers & accepted.keys()))
    yield Line("workers killed", 1, None, len(night.killed))
