"""Compare what the sandbox did during a day with the rows and the signals, count by count.

A killed worker may have stored a report, or sent its signals, without a response to the callback. So an attempt
without a response may count as received, and a report with such an attempt may be dispatched twice. The package
promises at-least-once delivery, and the counts may differ by no more than that. If the message of such a report did
not exist yet, the report waits for the sweep. The poller polls before it sweeps, so it may poll for the message too.
The counts of a report whose attempts all got a response must agree exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.querysets import PENDING_STATUSES
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox.messages import SandboxMessage
from django_messente_dlr.sandbox.scenarios import scenario_of
from tests.soak.channels import channels
from tests.soak.day import Day
from tests.soak.lines import Line, exactly, none
from tests.soak.plan import EXTERNAL_INTERVAL
from tests.soak.reports import Reports
from tests.soak.signals import signals, transitions

FAILURES = {status.value for status in Status if status.is_failure}


def compare(day: Day) -> list[Line]:
    """Return all counts of a day."""
    reports = Reports(day)
    groups: list[Callable[[Day, Reports], Iterator[Line]]] = [_shares, _messages, _reports, transitions, signals]
    if day.options.api == "omnichannel":
        groups.append(channels)
    return [line for group in groups for line in group(day, reports)]


def _shares(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that the day went as planned."""
    hundreds = len(day.planned) // len(day.shares.all)
    recipients = {day.id_of(message): message.recipient for message in day.messages}
    digits = Counter(recipient[-3:] for recipient in recipients.values())
    shares = {
        "messages reported six times": day.shares.duplicated,
        "messages reported in the wrong order": day.shares.reordered,
        "messages reported only to the poller": day.shares.lost,
    }
    yield exactly("messages accepted by the sandbox", len(day.planned), sum(day.accepted.values()))
    unequal = ({planned.recipient: 1 for planned in day.planned}).items() ^ day.accepted.items()
    yield none("recipients whose message was not accepted once", unequal)
    for label, share in shares.items():
        yield exactly(label, len(share) * hundreds, sum(digits[scenario] for scenario in set(share)))
    external = sum(planned.external for planned in day.planned)
    yield exactly("messages sent by another client", len(day.planned) // EXTERNAL_INTERVAL, external)
    yield Line("workers killed", 1, None, len(set(day.killed)))


def _messages(day: Day, reports: Reports) -> Iterator[Line]:
    """Check that each message is stored once, with the status that the sandbox reported last."""
    id_column = "omnimessage_id" if day.options.api == "omnichannel" else "sms_unique_id"
    stored = dict(SmsMessage.objects.values_list(id_column, "status"))
    expected = {day.id_of(message): scenario_of(message.recipient).expected for message in day.messages}
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
        for step in message.steps
        if message.is_tried and step.callback
    }
    yield exactly("reports received by callback", len(due), len(reports.stored))
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
    ids = {message.message_id: day.id_of(message) for message in day.messages}
    external = {planned.recipient for planned in day.planned if planned.external}
    lost = {day.id_of(message) for message in day.messages if _needs_poll(message, external)}
    polled = {reports.id_of(row) for row in reports.rows if row.source == "poll"}
    cut_off = {ids[message_id] for (message_id, _), statuses in responses.items() if None in statuses}
    early = polled & cut_off - lost
    # One report for each channel with a report: the poller runs when the sandbox has sent all of them.
    reported = sum(1 for message in day.messages if message.events and day.id_of(message) in lost | early)
    yield exactly("reports received by poll", reported, sum(row.source == "poll" for row in reports.rows))
    yield none("polled messages whose callbacks were all answered", polled ^ lost ^ early)
    external_ids = {day.id_of(message) for message in day.messages if message.recipient in external}
    matched = {reports.id_of(row) for row in reports.rows if row.message_id} & external_ids
    yield exactly("messages of another client with matched reports", len(external_ids), len(matched))
    yield none("orphan reports", (row for row in reports.rows if row.message_id is None))


def _needs_poll(message: SandboxMessage, external: Collection[str]) -> bool:
    """Return whether only a poll shows the end: also if all of an unknown number of channels have failed."""
    is_unknown_count = bool(message.omnimessage_id) and message.recipient in external
    return message.scenario.needs_poll or (is_unknown_count and message.scenario.expected in FAILURES)
