"""What the sandbox says of a day beside what the database and the receivers say of it, line by line.

A worker that is killed may have stored a report, or told of it, without answering. So an attempt that got no answer
may count as received, and a report with such an attempt may be told of again: at least once is promised, and that is
exactly how far anything may differ. Where such a report's message was not known yet, it waits for the sweep, and the
poller, which asks before it sweeps, may ask about it too. A report all of whose attempts were answered differs in
nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from django_messente_dlr import dispatch
from django_messente_dlr.models import DeliveryReport, PendingPoll, SmsMessage
from django_messente_dlr.models.querysets import PENDING_STATUSES
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox.scenarios import scenario_of
from tests.soak.day import Day
from tests.soak.plan import DUPLICATED, FATES, LOST, REORDERED, STRANGER_EVERY


@dataclass(frozen=True, slots=True)
class Line:
    """A count: what it must be, at the least and at the most, and what it is; some of those that should not be."""

    what: str
    least: int
    most: int | None
    found: int
    examples: tuple[object, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.least <= self.found and (self.most is None or self.found <= self.most)

    def __str__(self) -> str:
        most = "more" if self.most is None else self.most
        expected = str(self.least) if self.least == self.most else f"{self.least} to {most}"
        told = f"{'ok ' if self.agrees else 'NOT'}  {self.what:<66} {expected:>16} {self.found:>8}"
        return "\n       such as ".join([told, *map(repr, self.examples)])


def exactly(what: str, expected: int, found: int) -> Line:
    return Line(what, expected, expected, found)


def none(what: str, found: Iterable[object]) -> Line:
    those = list(found)
    return Line(what, 0, 0, len(those), tuple(those[:3]))


class Reports:
    """The reports of a day: those that the sandbox told, and those that are stored, both by id and word.

    Attributes:
        told: the answers to each report's attempts; None for an attempt that got none.
        stored: the rows of those that were called back.
        rows: all rows.
    """

    def __init__(self, day: Day) -> None:
        self.told: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        for attempt in day.attempts:
            self.told[attempt.message.message_id, attempt.step.stat].append(attempt.status)
        self.rows = list(DeliveryReport.objects.order_by("pk").defer("payload"))
        self.stored = {(row.sms_unique_id, row.stat): row for row in self.rows if row.source == "callback"}

    def unsure(self, row: DeliveryReport) -> int:
        """Return for how many of a report's attempts it is not known what came of them."""
        return self.told.get((row.sms_unique_id, row.stat), []).count(None)


def compare(day: Day) -> list[Line]:
    """Return all counts of a day."""
    reports = Reports(day)
    parts: list[Callable[[Day, Reports], Iterator[Line]]] = [_shares, _messages, _reports, _transitions, _signals]
    return [line for part in parts for line in part(day, reports)]


def _shares(day: Day, reports: Reports) -> Iterator[Line]:
    """Whether it was the day that was planned."""
    hundreds = len(day.planned) // len(FATES)
    digits = Counter(message.recipient[-3:] for message in day.messages)
    shares = {"told six times": DUPLICATED, "told in the wrong order": REORDERED, "told only when asked": LOST}
    yield exactly("messages accepted by the sandbox", len(day.planned), len(day.messages))
    for what, share in shares.items():
        yield exactly(f"of them {what}", len(share) * hundreds, sum(digits[scenario] for scenario in set(share)))
    strangers = sum(planned.stranger for planned in day.planned)
    yield exactly("of them sent without us", len(day.planned) // STRANGER_EVERY, strangers)
    yield Line("workers killed", 1, None, len(set(day.deaths)))


def _messages(day: Day, reports: Reports) -> Iterator[Line]:
    """Whether each message is here once, with the status that it has there."""
    ours = dict(SmsMessage.objects.values_list("sms_unique_id", "status"))
    theirs = {message.message_id: scenario_of(message.recipient).expected for message in day.messages}
    yield exactly("messages stored", len(theirs), SmsMessage.objects.count())
    yield none("of them with another id than the sandbox's", ours.keys() ^ theirs.keys())
    counted = Counter(ours.values())
    for status, number in sorted(Counter(theirs.values()).items()):
        yield exactly(f"messages that are {status}", number, counted[status])
    yield none("messages with another status than theirs", (key for key in theirs if ours.get(key) != theirs[key]))
    waiting = set(SmsMessage.objects.filter(status__in=PENDING_STATUSES).values_list("pk", flat=True))
    listed = set(PendingPoll.objects.values_list("pk", flat=True))
    yield none("messages waited for after their end, or not before it", waiting ^ listed)


def _reports(day: Day, reports: Reports) -> Iterator[Line]:
    """Whether each report is here once, counted as often as it came."""
    told, stored = reports.told, reports.stored
    due = {
        (message.message_id, step.stat)
        for message in day.messages
        for step in message.scenario.steps
        if step.callback
    }
    yield exactly("reports called back", len(due), sum(row.source == "callback" for row in reports.rows))
    yield none("of them other ones than were to be told", stored.keys() ^ due)
    yield none("of them never answered 200", (report for report in due if 200 not in told[report]))
    answered = sum(statuses.count(200) for statuses in told.values())
    unanswered = sum(statuses.count(None) for statuses in told.values())
    times_received = {report: row.times_received for report, row in stored.items()}
    yield Line(
        "receipts: as many as were answered 200", answered, answered + unanswered, sum(times_received.values())
    )
    yield none(
        "reports with fewer receipts than answers, or more than attempts",
        (r for r, n in times_received.items() if not 0 <= n - told[r].count(200) <= told[r].count(None)),
    )
    lost = {message.message_id for message in day.messages if message.scenario.needs_poll}
    polled = Counter(row.sms_unique_id for row in reports.rows if row.source == "poll")
    cut_off = {sms_unique_id for (sms_unique_id, _), statuses in told.items() if None in statuses}
    early = polled.keys() & cut_off - lost
    yield exactly("reports asked for, as none was called back", len(lost) + len(early), sum(polled.values()))
    yield none("of them of messages that were told, and nobody died over it", polled.keys() ^ lost ^ early)
    strangers = {planned.recipient for planned in day.planned if planned.stranger}
    ids = {message.message_id for message in day.messages if message.recipient in strangers}
    matched = {row.sms_unique_id for row in reports.rows if row.message_id and row.sms_unique_id in ids}
    yield exactly("strangers' messages with all their reports matched", len(ids), len(matched))
    yield none("orphans left", (row for row in reports.rows if row.message_id is None))


def _transitions(day: Day, reports: Reports) -> Iterator[Line]:
    """Whether each message went its way step by step, and each step once."""
    steps = defaultdict(list)
    for row in reports.rows:
        if row.outcome == "advanced":
            steps[row.message_id].append((row.previous, row.status))
    statuses = dict(SmsMessage.objects.values_list("pk", "status"))
    yield none("messages whose transitions are no single way", (pk for pk in statuses if not _is_way(steps[pk])))
    yield none(
        "messages that are not where their way ends", (pk for pk in statuses if _end(steps[pk]) != statuses[pk])
    )
    changed = sum(1 for name, _ in day.heard if name == "dlr_status_changed")
    yield exactly("transitions told of", sum(map(len, steps.values())), changed)


def _signals(day: Day, reports: Reports) -> Iterator[Line]:
    """Whether each signal was heard, and heard once where nobody died over it."""
    # What was told of before its message was known has only the others in its row.
    promised = {(name, str(row.pk)) for row in reports.rows for name in ("dlr_received", *row.signals)}
    # A message that was delivered before the report of its failure was dispatched is not reported as failed.
    overtaken = (row for row in reports.rows if row.dispatch_error == dispatch.DELIVERED_MEANWHILE)
    promised -= {(name, str(row.pk)) for row in overtaken for name in dispatch.FAILURE_SIGNALS}
    unsure = {str(row.pk) for row in reports.rows if reports.unsure(row)} | set(day.cut_short)
    yield exactly("signals heard", len(promised), len(day.heard))
    yield none("of them not promised, or promised and not heard", promised ^ day.heard.keys())
    again = ((name, pk) for (name, pk), times in day.heard.items() if times > 1)
    yield none("of them heard twice though nobody died over it", (told for told in again if told[1] not in unsure))
    yield none("reports whose signals are not all sent", (row for row in reports.rows if row.dispatch_due_at))
    yield none("reports of which a receiver raised", (row for row in reports.rows if row.dispatch_failed_at))
    pk_of = {str(row.pk): row.message_id for row in reports.rows}
    for name, status in (("dlr_delivered", {"delivered", "seen"}), ("dlr_failed", {"failed", "rejected"})):
        ends = set(SmsMessage.objects.filter(status__in=status).values_list("pk", flat=True))
        told = [pk_of[pk] for heard, pk in day.heard if heard == name]
        yield none(f"messages {name} did not come for", ends - set(told))
        yield none(f"messages {name} came twice for", (pk for pk, times in Counter(told).items() if times > 1))


def _is_way(steps: Collection[tuple[str, str]]) -> bool:
    """Tell whether steps, each from one status to another, lie end to end, ever upwards."""
    ordered = sorted(steps, key=lambda step: Status(step[1]).rank)
    joined = all(before[1] == after[0] for before, after in pairwise(ordered))
    return joined and all(Status(previous).rank < Status(status).rank for previous, status in ordered)


def _end(steps: Collection[tuple[str, str]]) -> str:
    return max((status for _, status in steps), key=lambda status: Status(status).rank, default="")
