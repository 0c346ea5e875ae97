"""Compare what the sandbox did during a day with the rows and the signals, count by count.

A killed worker may have stored a report, or sent its signals, without a response to the callback. So an attempt
without a response may count as received, and a report with such an attempt may be dispatched twice. The package
promises at-least-once delivery, and the counts may differ by no more than that. If the message of such a report did
not exist yet, the report waits for the sweep. The poller polls before it sweeps, so it may poll for the message too.
The counts of a report whose attempts all got a response must agree exactly.
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
from tests.soak.plan import DUPLICATED, EXTERNAL_INTERVAL, LOST, REORDERED, SCENARIOS


@dataclass(frozen=True, slots=True)
class Line:
    """One count of the comparison, printed as a line.

    Attributes:
        label: what is counted.
        minimum: the least value that agrees.
        maximum: the greatest value that agrees; None for no limit.
        actual: the value.
        examples: some of the items that should not exist.
    """

    label: str
    minimum: int
    maximum: int | None
    actual: int
    examples: tuple[object, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.minimum <= self.actual and (self.maximum is None or self.actual <= self.maximum)

    def __str__(self) -> str:
        maximum = "more" if self.maximum is None else self.maximum
        expected = str(self.minimum) if self.minimum == self.maximum else f"{self.minimum} to {maximum}"
        line = f"{'ok ' if self.agrees else 'NOT'}  {self.label:<66} {expected:>16} {self.actual:>8}"
        return "\n       such as ".join([line, *map(repr, self.examples)])


def exactly(label: str, expected: int, actual: int) -> Line:
    return Line(label, expected, expected, actual)


def none(label: str, items: Iterable[object]) -> Line:
    unexpected = list(items)
    return Line(label, 0, 0, len(unexpected), tuple(unexpected[:3]))


class Reports:
    """The reports of a day, as the sandbox sent them and as they are stored.

    Attributes:
        responses: by message id and ``stat``, the HTTP status of each attempt; None if it got no response.
        stored: by message id and ``stat``, the rows of the reports that were received by callback.
        rows: all rows.
    """

    def __init__(self, day: Day) -> None:
        self.responses: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        for attempt in day.attempts:
            self.responses[attempt.message.message_id, attempt.step.stat].append(attempt.status)
        self.rows = list(DeliveryReport.objects.order_by("pk").defer("payload"))
        self.stored = {(row.sms_unique_id, row.stat): row for row in self.rows if row.source == "callback"}

    def attempts_without_response(self, row: DeliveryReport) -> int:
        """Return the number of attempts whose result is unknown."""
        return self.responses.get((row.sms_unique_id, row.stat), []).count(None)


def compare(day: Day) -> list[Line]:
    """Return all counts of a day."""
    reports = Reports(day)
    groups: list[Callable[[Day, Reports], Iterator[Line]]] = [_shares, _messages, _reports, _transitions, _signals]
    return [line for group in groups for line in group(day, reports)]


def _shares(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that the day went as planned."""
    hundreds = len(day.planned) // len(SCENARIOS)
    digits = Counter(message.recipient[-3:] for message in day.messages)
    shares = {
        "messages reported six times": DUPLICATED,
        "messages reported in the wrong order": REORDERED,
        "messages reported only to the poller": LOST,
    }
    yield exactly("messages accepted by the sandbox", len(day.planned), len(day.messages))
    for label, share in shares.items():
        yield exactly(label, len(share) * hundreds, sum(digits[scenario] for scenario in set(share)))
    external = sum(planned.external for planned in day.planned)
    yield exactly("messages sent by another client", len(day.planned) // EXTERNAL_INTERVAL, external)
    yield Line("workers killed", 1, None, len(set(day.killed)))


def _messages(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each message is stored once, with the status that the sandbox reported last."""
    stored = dict(SmsMessage.objects.values_list("sms_unique_id", "status"))
    expected = {message.message_id: scenario_of(message.recipient).expected for message in day.messages}
    yield exactly("messages stored", len(expected), SmsMessage.objects.count())
    yield none("message ids known only to the database or only to the sandbox", stored.keys() ^ expected.keys())
    counts = Counter(stored.values())
    for status, number in sorted(Counter(expected.values()).items()):
        yield exactly(f"messages with the status {status}", number, counts[status])
    yield none("messages with a wrong status", (key for key in expected if stored.get(key) != expected[key]))
    pending = set(SmsMessage.objects.filter(status__in=PENDING_STATUSES).values_list("pk", flat=True))
    scheduled = set(PendingPoll.objects.values_list("pk", flat=True))
    yield none("messages polled after their final status, or pending and not polled", pending ^ scheduled)


def _reports(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each report is stored once, and that its duplicates are counted."""
    responses, stored = reports.responses, reports.stored
    due = {
        (message.message_id, step.stat)
        for message in day.messages
        for step in message.scenario.steps
        if step.callback
    }
    yield exactly("reports received by callback", len(due), sum(row.source == "callback" for row in reports.rows))
    yield none("reports missing, or stored and never due", stored.keys() ^ due)
    yield none("reports never answered with 200", (report for report in due if 200 not in responses[report]))
    answered = sum(statuses.count(200) for statuses in responses.values())
    unanswered = sum(statuses.count(None) for statuses in responses.values())
    times_received = {report: row.times_received for report, row in stored.items()}
    yield Line(
        "times received: as often as answered with 200",
        answered,
        answered + unanswered,
        sum(times_received.values()),
    )
    yield none(
        "reports received fewer times than answered, or more than attempted",
        (r for r, n in times_received.items() if not 0 <= n - responses[r].count(200) <= responses[r].count(None)),
    )
    lost = {message.message_id for message in day.messages if message.scenario.needs_poll}
    polled = Counter(row.sms_unique_id for row in reports.rows if row.source == "poll")
    cut_off = {sms_unique_id for (sms_unique_id, _), statuses in responses.items() if None in statuses}
    early = polled.keys() & cut_off - lost
    yield exactly("reports received by poll", len(lost) + len(early), sum(polled.values()))
    yield none("polled messages whose callbacks were all answered", polled.keys() ^ lost ^ early)
    external = {planned.recipient for planned in day.planned if planned.external}
    ids = {message.message_id for message in day.messages if message.recipient in external}
    matched = {row.sms_unique_id for row in reports.rows if row.message_id and row.sms_unique_id in ids}
    yield exactly("messages of another client with matched reports", len(ids), len(matched))
    yield none("orphan reports", (row for row in reports.rows if row.message_id is None))


def _transitions(day: Day, reports: Reports) -> Iterator[Line]:
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


def _signals(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each signal was received, and only once unless a worker was killed meanwhile."""
    # An orphan that is matched after its dispatch lists only its later signals, so dlr_received is added to each row.
    promised = {(name, str(row.pk)) for row in reports.rows for name in ("dlr_received", *row.signals)}
    # A message that was delivered before the report of its failure was dispatched is not reported as failed.
    overtaken = (row for row in reports.rows if row.dispatch_error == dispatch.DELIVERED_MEANWHILE)
    promised -= {(name, str(row.pk)) for row in overtaken for name in dispatch.FAILURE_SIGNALS}
    may_repeat = {str(row.pk) for row in reports.rows if reports.attempts_without_response(row)} | set(day.cut_short)
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
