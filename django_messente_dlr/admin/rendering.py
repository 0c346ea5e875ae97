"""Values in words and markup: badges, sentences, JSON. Everything that comes from outside is escaped here.

In come rows, out go texts for people; `SafeString` only from ``format_html``. No style and no script stands in the
markup, so a strict Content-Security-Policy has nothing to object to.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.admin.formatting import EMPTY
from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.models import DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status

TONES = {
    Status.QUEUED: "quiet",
    Status.SENT: "quiet",
    Status.UNRESOLVED: "warning",
    Status.FAILED: "error",
    Status.REJECTED: "error",
    Status.DELIVERED: "success",
    Status.SEEN: "success",
}
SENTENCES = {
    Status.QUEUED: _("Messente has not yet confirmed that it accepted the message."),
    Status.SENT: _("Messente accepted the message. There is no final status yet."),
    Status.UNRESOLVED: _("Messente reported no final status within 48 hours. A late report can still change this."),
    Status.FAILED: _("The message did not reach its recipient."),
    Status.REJECTED: _("The message was refused and did not reach its recipient."),
    Status.DELIVERED: _("The message reached the phone or, in some markets, the operator."),
    Status.SEEN: _("The recipient has opened the message."),
}


class DispatchState(models.TextChoices):
    """How far the signals of a report are."""

    SENT = "sent", _("Sent")
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("A receiver failed")

    @classmethod
    def of(cls, report: DeliveryReport) -> DispatchState:
        """Return how far the signals of ``report`` are."""
        if report.dispatch_due_at is not None:
            return cls.WAITING
        return cls.FAILED if report.dispatch_error else cls.SENT


DISPATCH_TONES = {DispatchState.SENT: "success", DispatchState.WAITING: "warning", DispatchState.FAILED: "error"}


def badge(text: str | Promise, tone: str) -> SafeString:
    """Return a text with a coloured ground; the text says it all for those who see no colour.

    Args:
        text: what it says.
        tone: one of success, warning, error and quiet.
    """
    return format_html('<span class="messente-dlr-badge messente-dlr-{}">{}</span>', tone, text)


def status_badge(value: str) -> SafeString | str:
    """Return the badge of a status, or a dash where there is none."""
    if not value:
        return EMPTY
    status = Status(value)
    return badge(status.label, TONES[status])


def status_in_words(value: str) -> SafeString:
    """Return the badge of a status and a sentence that says what it means."""
    return format_html("{} {}", status_badge(value), SENTENCES[Status(value)])


def dispatch_badge(report: DeliveryReport) -> SafeString:
    """Return the badge that tells how far the signals of a report are."""
    state = DispatchState.of(report)
    return badge(state.label, DISPATCH_TONES[state])


def cause_in_words(message: SmsMessage) -> str:
    """Return why a message failed, or a dash for one that did not."""
    if cause := message.cause:
        return str(cause.meaning)
    if not Status(message.status).is_failure:
        return EMPTY
    return _unknown(message.err) if message.err else gettext("No cause reported")


def advice_for(message: SmsMessage) -> str:
    """Return what Messente advises to do about a message that failed, or a dash where there is no advice."""
    return str(message.cause.advice) if message.cause else EMPTY


def err_in_words(err: int | None) -> str:
    """Return what a report's number means, or a dash where it tells of no error."""
    if not err:
        return EMPTY
    known = ErrorCode.from_code(err)
    return str(known.meaning) if known else _unknown(err)


def describe_report(word: str, err: int | None) -> str:
    """Return the word for the state and the number of the cause as they came, and what the word means."""
    raw = ", ".join([*([word] if word else []), *([] if err is None else [f"err {err}"])])
    known = Stat.from_code(word)
    return f"{raw}: {known.meaning}" if known else raw or EMPTY


def pretty_json(value: Any) -> SafeString | str:
    """Return JSON as a person reads it, a name on each line; a dash where there is nothing in it."""
    if not value:
        return EMPTY
    return preformatted(json.dumps(value, indent=2, ensure_ascii=False))


def preformatted(text: str) -> SafeString | str:
    """Return a text as it was written, line by line, or a dash where there is none."""
    return format_html('<pre class="messente-dlr-raw">{}</pre>', text) if text else EMPTY


def shortened_id(text: str) -> SafeString:
    """Return an id of which a list shows the beginning; all of it is there to be copied, searched and heard."""
    return format_html('<span class="messente-dlr-id" title="{}">{}</span>', text, text)


def link(model: type[DeliveryReport | SmsMessage], pk: int, text: str, *, site: str) -> SafeString:
    """Return a link to the page of a row.

    Args:
        model: what it is a row of.
        pk: its primary key.
        text: what to click on.
        site: the name of the admin site.
    """
    name = f"admin:django_messente_dlr_{model.__name__.lower()}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[pk], current_app=site), text)


def _unknown(err: int | None) -> str:
    return gettext("Unknown cause (err %(err)s)") % {"err": err}
