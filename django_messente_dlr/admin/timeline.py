"""The timeline of one message: created, accepted by Messente, its reports and the next polls.

The functions turn rows into `Event` objects for a template. They mask recipients for users without the permission.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr import polling
from django_messente_dlr.admin import formatting, rendering
from django_messente_dlr.admin.queue import QueueNote
from django_messente_dlr.messente.reports import Source
from django_messente_dlr.models import DeliveryReport, ReportOutcome, SmsMessage
from django_messente_dlr.models.error_texts import translated
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils import masking
from django_messente_dlr.utils.poll_schedule import OVERDUE_AFTER
from django_messente_dlr.utils.times import elapsed, shift

SOURCES = dict(DeliveryReport.SOURCES)
RECEIVED = {
    Source.CALLBACK.value: _("Callback received"),
    Source.OMNICHANNEL.value: _("Omnichannel callback received"),
}
CHANGES = {
    ReportOutcome.ADVANCED.value: _("status changed"),
    ReportOutcome.ENRICHED.value: _("details added"),
    ReportOutcome.STALE.value: _("no change"),
    ReportOutcome.UNREADABLE.value: _("unrecognised status"),
}


@dataclass(slots=True, kw_only=True)
class Event:
    """One past or future event.

    Attributes:
        at: its time, or None for an event without one.
        title: its name in a few words.
        tone: the colour: success, warning, error, quiet or ahead.
        badge: the badge of the status of the report, if any.
        lines: details, one sentence each.
        raw: the payload of the report as text.
        report: the report, if the event is one.
        dispatch: the badge of the state of the report's signals.
        errors: the errors of receivers.
        after: the time since sending, as text.
    """

    at: datetime | None
    title: str
    tone: str = "quiet"
    badge: SafeString | str = ""
    lines: list[str] = field(default_factory=list)
    raw: str = ""
    report: DeliveryReport | None = None
    dispatch: SafeString | str = ""
    errors: str = ""
    after: str = ""


def events(
    message: SmsMessage,
    reports: Iterable[DeliveryReport],
    *,
    can_see_recipient: bool,
    note: QueueNote | None = None,
    resend_planned_at: datetime | None = None,
) -> list[Event]:
    """Return the events of a message in order of time, the future ones last.

    Args:
        message: the message.
        reports: the reports of the message that the user may view.
        can_see_recipient: whether the user may see full recipients.
        note: its state in the send queue, if it is in the queue.
        resend_planned_at: when the message that repeats this one leaves the queue; None if it does not wait there.
    """
    timeline = [Event(at=message.created_at, title=gettext("Created"), lines=[_entered(message)])]
    is_scheduled = message.sent_at is not None and message.sent_at > timezone.now()
    if message.sent_at and not (is_scheduled and message.status == Status.CANCELLED):
        if is_scheduled:  # a message with a requested delivery time
            taken = Event(at=message.sent_at, title=gettext("Scheduled for sending"), tone="ahead")
        else:
            badge = rendering.status_badge(Status.SENT)
            taken = Event(at=message.sent_at, title=gettext("Accepted by Messente"), badge=badge)
        known = message.sms_unique_id or message.omnimessage_id
        taken.lines = [gettext("Message ID %(id)s.") % {"id": known}] if known else []
        timeline.append(taken)
    if message.resent_at and resend_planned_at is None:
        timeline.append(Event(at=message.resent_at, title=gettext("Sent again")))
    timeline += [_reported(report, message, can_see_recipient=can_see_recipient) for report in reports]
    timeline.sort(key=lambda event: event.at or message.created_at)
    start = message.sent_at or message.created_at
    for event in timeline:
        if event.at and event.at > start:
            passed = formatting.duration(elapsed(start, event.at).total_seconds())
            event.after = gettext("%(time)s after sending") % {"time": passed}
    if resend_planned_at is not None:
        timeline.append(Event(at=resend_planned_at, title=gettext("Sent again"), tone="ahead"))
    if note is None:
        return timeline + _ahead(message)
    queued = Event(at=note.at, title=note.title, tone=note.tone, lines=[note.sentence, *note.lines])
    # A message that no worker has begun to send is not polled.
    return [*timeline, queued, *(_ahead(message) if note.is_attempted else [])]


def _entered(message: SmsMessage) -> str:
    if message.sender:
        text = gettext("Account “%(account)s”, sender “%(sender)s”, channel %(channel)s.")
    else:
        text = gettext("Account “%(account)s”, channel %(channel)s.")
    return text % {"account": message.account, "sender": message.sender, "channel": message.channel}


def _reported(report: DeliveryReport, message: SmsMessage, *, can_see_recipient: bool) -> Event:
    event = Event(
        at=report.received_at, title=_title(report), report=report, dispatch=rendering.dispatch_badge(report)
    )
    if report.status:
        event.badge = rendering.status_badge(report.status)
    if report.outcome == ReportOutcome.ADVANCED and report.status:
        event.tone = rendering.TONES[Status(report.status)]
    elif report.outcome in {ReportOutcome.UNREADABLE, ReportOutcome.CHANNEL_FAILED}:
        event.tone = "warning"
    event.lines = [line for line in _lines(report) if line]
    payload: Any = report.payload
    event.errors = report.dispatch_error
    if not can_see_recipient:
        ids = {report.sms_unique_id, report.omnimessage_id}
        payload = masking.mask_in_json(payload, message.recipient, ids=ids)
        event.errors = masking.mask_in_text(event.errors, message.recipient)
    if report.source == Source.SEND.value and payload.get("answer"):
        event.lines.append(translated(str(payload["answer"])))
    event.raw = json.dumps(payload, indent=2, ensure_ascii=False) if payload else ""
    return event


def _title(report: DeliveryReport) -> str:
    source = RECEIVED.get(report.source) or SOURCES.get(report.source, report.source)
    title = f"{source}: {CHANGES.get(report.outcome) or report.get_outcome_display()}"
    # The reports of several channels are about different messages at Messente.
    channel = report.payload.get("channel") if report.omnimessage_id else ""
    return f"{title} ({channel})" if channel else title


def _lines(report: DeliveryReport) -> list[str]:
    description = rendering.describe_report(report.stat, report.err)
    lines = [
        "" if description == formatting.EMPTY else description,
        rendering.error_code_text(report.err) if report.err else "",
    ]
    if report.times_received > 1:
        again = ngettext(
            "Received %(count)d more time; nothing changed.",
            "Received %(count)d more times; nothing changed.",
            report.times_received - 1,
        )
        lines.append(again % {"count": report.times_received - 1})
    return lines


def _ahead(message: SmsMessage) -> list[Event]:
    """Return the future events: the next poll and the expiry of the report at Messente, or the end of waiting."""
    asked = ngettext("Polled %(count)d time so far.", "Polled %(count)d times so far.", message.poll_count)
    lines = [asked % {"count": message.poll_count}]
    if message.next_poll_at is None:
        if not message.poll_count:
            return []
        return [Event(at=None, title=gettext("Polling has ended"), tone="ahead", lines=lines)]
    if message.report_expires_at is None:
        return [Event(at=None, title=gettext("Not sent yet"), tone="ahead")]
    if why := polling.unpollable_reason(message):
        # The poller waits for an id or an account no longer than Messente keeps the report.
        ends = max(message.next_poll_at, message.report_expires_at)
        lines = [why, *(lines if message.poll_count else [])]
        return [Event(at=ends, title=gettext("Given up if no report arrives"), tone="ahead", lines=lines)]
    late = message.next_poll_at <= shift(timezone.now(), -OVERDUE_AFTER)  # the condition of the filter "overdue"
    title = gettext("Poll overdue") if late else gettext("Next poll")
    return [
        Event(at=message.next_poll_at, title=title, tone="warning" if late else "ahead", lines=lines),
        Event(at=message.report_expires_at, title=gettext("Report expires at Messente"), tone="ahead"),
    ]
