"""Compare the transitions of a day and the signals that its receivers got with the stored reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import pairwise

from django_messente_dlr import dispatch
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from tests.soak.day import Day
from tests.soak.lines import Line, exactly, none
from tests.soak.reports import Reports


def transitions(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that the transitions of each message form one sequence without repetition."""
    steps = defaultdict(list)
    for row in reports.rows:
        if row.outcome == "advanced":
            steps[row.message_id].append((row.previous, row.status))
    statuses = dict(SmsMessage.objects.values_list("pk", "status"))
    yield none(
        "messages whose transitions are not one sequence", (pk for pk in statuses if not _is_sequence(steps[pk]))
    )
    yield none(
        "messages whose status is not that of the last transition",
        (pk for pk in statuses if _last_status(steps[pk]) != statuses[pk]),
    )
    changed = sum(1 for name, _ in day.signals if name == "dlr_status_changed")
    yield exactly("transitions signalled", sum(map(len, steps.values())), changed)


def signals(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each signal was received, and only once unless a worker was killed meanwhile."""
    # An orphan that is matched after its dispatch lists only its later signals, so dlr_received is added to each row.
    promised = {(name, str(row.pk)) for row in reports.rows for name in ("dlr_received", *row.signals)}
    # A message that was delivered before the report of its failure was dispatched is not reported as failed.
    overtaken = (row for row in reports.rows if dispatch.DELIVERED_MEANWHILE in row.dispatch_error)
    promised -= {(name, str(row.pk)) for row in overtaken for name in dispatch.NOT_AFTER_DELIVERY}
    may_repeat = {str(row.pk) for row in reports.rows if reports.attempts_without_response(row)} | set(day.cut_short)
    # The report of a channel that ends its message later is dispatched again, maybe before the first time is marked.
    may_repeat |= {str(row.pk) for row in reports.rows if {"dlr_failed", "dlr_channel_failed"} <= {*row.signals}}
    yield exactly("signals received", len(promised), len(day.signals))
    yield none("signals promised and not received, or received and not promised", promised ^ day.signals.keys())
    repeated = ((name, pk) for (name, pk), times in day.signals.items() if times > 1)
    yield none("signals repeated although no worker was killed", (s for s in repeated if s[1] not in may_repeat))
    yield none("reports with unsent signals", (row for row in reports.rows if row.dispatch_due_at))
    yield none("reports for which a receiver raised", (row for row in reports.rows if row.dispatch_failed_at))
    messages = {str(row.pk): row.message_id for row in reports.rows}
    for name, status in (("dlr_delivered", {"delivered", "seen"}), ("dlr_failed", {"failed", "rejected"})):
        final = set(SmsMessage.objects.filter(status__in=status).values_list("pk", flat=True))
        signalled = [messages[pk] for signal, pk in day.signals if signal == name]
        yield none(f"messages without {name}", final - set(signalled))
        yield none(f"messages with {name} twice", (pk for pk, times in Counter(signalled).items() if times > 1))


def _is_sequence(steps: Collection[tuple[str, str]]) -> bool:
    """Return whether each step starts at the status where the previous one ended, and each raises the rank."""
    ordered = sorted(steps, key=lambda step: Status(step[1]).rank)
    joined = all(before[1] == after[0] for before, after in pairwise(ordered))
    return joined and all(Status(previous).rank < Status(status).rank for previous, status in ordered)


def _last_status(steps: Collection[tuple[str, str]]) -> str:
    return max((status for _, status in steps), key=lambda status: Status(status).rank, default="")
